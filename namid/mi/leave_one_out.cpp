// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/leave_one_out.h"

#include "namid/mi/donsker_varadhan.h"
#include "namid/mi/scores.h"

namespace namid::mi {

at::Tensor leave_one_out(const at::Tensor& log_density) {
  const at::Tensor scores = log_density.dim() == 2 ? log_density.unsqueeze(2) : log_density;
  check_scores(scores, "leave_one_out");
  return -donsker_varadhan(scores).squeeze(1);
}

}  // namespace namid::mi
