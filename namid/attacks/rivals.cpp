// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/rivals.h"

#include <algorithm>
#include <limits>

namespace namid::attacks {

at::Tensor rival_classes(const at::Tensor& logits, const at::Tensor& y, std::int64_t most) {
  constexpr double kFirst = std::numeric_limits<double>::infinity();
  const auto ranked =
      logits.scatter(1, y.unsqueeze(1), kFirst).argsort(/*stable=*/true, 1, /*descending=*/true);
  const auto others = logits.size(1) - 1;
  return ranked.narrow(1, 1, most == 0 ? others : std::min(most, others));
}

}  // namespace namid::attacks
