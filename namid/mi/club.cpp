// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/club.h"

#include "namid/mi/scores.h"

namespace namid::mi {

at::Tensor club(const at::Tensor& log_density) {
  const at::Tensor scores = log_density.dim() == 2 ? log_density.unsqueeze(2) : log_density;
  check_scores(scores, "club");
  return (own_scores(scores) - mean_of_others(scores)).squeeze(1);
}

}  // namespace namid::mi
