// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/steps.h"

#include "namid/attacks/norms.h"

namespace namid::attacks {

at::Tensor ascent(const at::Tensor& gradient, Norm norm) {
  if (norm == Norm::linf) return gradient.sign();
  const auto length = sample_norms(gradient, Norm::l2).clamp_min_(1e-12);
  return gradient / per_sample(length.to(gradient.scalar_type()), gradient);
}

}  // namespace namid::attacks
