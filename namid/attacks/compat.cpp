// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/compat.h"

#include <algorithm>
#include <string>

#include "namid/core/error.h"

namespace namid::attacks {

void check_compat(Compat compat, std::initializer_list<Compat> known, std::string_view where) {
  if (compat == Compat::none || std::find(known.begin(), known.end(), compat) != known.end())
    return;
  std::string names = "none";
  for (const auto each : known) names += str(" or ", to_string(each));
  throw OptionError(str("[", where, "] compat: expected ", names, ", got ", to_string(compat)));
}

}  // namespace namid::attacks
