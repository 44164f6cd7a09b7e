// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/checks.h"

#include <algorithm>
#include <string>

#include "namid/core/error.h"

namespace namid::attacks {

void check_norm(Norm norm, const std::vector<Norm>& known, std::string_view where) {
  if (std::find(known.begin(), known.end(), norm) != known.end()) return;
  std::string names;
  for (const auto each : known) names += (names.empty() ? "" : " or ") + str(to_string(each));
  throw OptionError(str("[", where, "] norm: expected ", names, ", got ", to_string(norm)));
}

void check_images(const at::Tensor& x, std::string_view where) {
  if (x.dim() != 4)
    throw OptionError(
        str("[", where, "] x: expected images (N, C, H, W), got shape ", c10::str(x.sizes())));
}

void check_four_classes(std::int64_t classes, std::string_view where) {
  if (classes < 4)
    throw OptionError(str("[", where, "] needs at least 4 classes for its targeted loss, the ",
                          "model has ", classes, "; use apgd-ce"));
}

}  // namespace namid::attacks
