// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/smile.h"

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/mi/donsker_varadhan.h"
#include "namid/mi/scores.h"

namespace namid::mi {

at::Tensor smile(const at::Tensor& scores, double tau) {
  check_scores(scores, "smile");
  if (!(tau > 0)) throw OptionError(str("[smile] tau: expected > 0, got ", tau));
  const at::Tensor clipped = donsker_varadhan_pooled(scores.clamp(-tau, tau));
  return clipped + own_scores(scores).clamp(-tau, tau) - own_scores(scores);
}

}  // namespace namid::mi
