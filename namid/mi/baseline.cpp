// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/baseline.h"

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::mi {

at::Tensor baseline_rows(const at::Tensor& scores, const at::Tensor& log_baseline,
                         std::string_view bound) {
  const auto n = scores.size(0), locations = scores.size(2);
  const at::Tensor b = log_baseline.to(scores.options());
  if (b.dim() == 0) return b.expand({n, 1});
  if (b.dim() == 1 && b.size(0) == n) return b.unsqueeze(1);
  if (b.dim() == 2 && b.size(0) == n && (b.size(1) == 1 || b.size(1) == locations)) return b;
  throw OptionError(str("[", bound, "] log_baseline: expected a scalar, (N), (N, 1) or (N, K) for ",
                        "scores ", c10::str(scores.sizes()), ", got ", c10::str(b.sizes())));
}

}  // namespace namid::mi
