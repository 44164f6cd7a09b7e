// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/info_nce.h"

#include "namid/mi/scores.h"

namespace namid::mi {

at::Tensor info_nce(const at::Tensor& scores) {
  check_scores(scores, "info_nce");
  return scores.logsumexp(1) - std::log(static_cast<double>(scores.size(0))) - own_scores(scores);
}

at::Tensor info_nce_locations(const at::Tensor& scores, NceMask mask) {
  check_scores(scores, "info_nce_locations");
  constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
  const double masked = mask == NceMask::exclude ? kMinusInfinity : -10;
  const at::Tensor others = replace_own(scores, masked).logsumexp({1, 2}).unsqueeze(1);
  const at::Tensor own = own_scores(scores);
  return at::logaddexp(own, others) - own;
}

}  // namespace namid::mi
