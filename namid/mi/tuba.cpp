// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/tuba.h"

#include "namid/mi/baseline.h"
#include "namid/mi/scores.h"

namespace namid::mi {

at::Tensor tuba(const at::Tensor& scores, const at::Tensor& log_baseline) {
  check_scores(scores, "tuba");
  const at::Tensor b = baseline_rows(scores, log_baseline, "tuba");
  return exp_mean_of_others(scores - b.unsqueeze(1)) - 1 - (own_scores(scores) - b);
}

at::Tensor nwj(const at::Tensor& scores) {
  check_scores(scores, "nwj");
  return exp_mean_of_others(scores - 1) - own_scores(scores);
}

}  // namespace namid::mi
