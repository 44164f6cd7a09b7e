// SPDX-License-Identifier: Apache-2.0
#include "namid/core/error.h"

#include <new>

namespace namid {

ExitCode exit_code(const std::exception& error) {
  if (dynamic_cast<const OptionError*>(&error)) return ExitCode::usage;
  if (dynamic_cast<const DataError*>(&error)) return ExitCode::bad_input;
  if (dynamic_cast<const ResourceError*>(&error)) return ExitCode::resource;
  if (dynamic_cast<const std::bad_alloc*>(&error)) return ExitCode::resource;
  if (dynamic_cast<const NumericError*>(&error)) return ExitCode::numeric;
  return ExitCode::internal;
}

}  // namespace namid
