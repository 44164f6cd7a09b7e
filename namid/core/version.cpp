// SPDX-License-Identifier: Apache-2.0
#include "namid/core/version.h"

#include "namid_version.inc"

namespace namid {

std::string_view version() {
  return NAMID_VERSION;
}
std::string_view commit() {
  return NAMID_COMMIT;
}

}  // namespace namid
