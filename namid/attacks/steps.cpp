// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/steps.h"

#include <cmath>

#include "namid/attacks/norms.h"

namespace namid::attacks {
namespace {

constexpr double kSparseShare = 0.01;

at::Tensor sparse_ascent(const at::Tensor& gradient) {
  const auto size = gradient.abs().flatten(1);
  const auto kept =
      static_cast<std::int64_t>(std::ceil(kSparseShare * static_cast<double>(size.size(1))));
  const auto threshold = std::get<0>(size.topk(kept, 1)).select(1, kept - 1);
  const auto direction = at::where(size >= threshold.unsqueeze(1), gradient.flatten(1).sign(), 0.0);
  const auto count = direction.abs().sum(1, true).clamp_min_(1);
  return (direction / count).view(gradient.sizes());
}

}  // namespace

at::Tensor ascent(const at::Tensor& gradient, Norm norm) {
  if (norm == Norm::linf) return gradient.sign();
  if (norm == Norm::l1) return sparse_ascent(gradient);
  const auto length = sample_norms(gradient, Norm::l2).clamp_min_(1e-12);
  return gradient / per_sample(length.to(gradient.scalar_type()), gradient);
}

at::Tensor inside_box(const at::Tensor& gradient, const at::Tensor& x_adv) {
  const auto blocked = ((gradient > 0) & (x_adv >= 1)) | ((gradient < 0) & (x_adv <= 0));
  return gradient.masked_fill(blocked, 0);
}

}  // namespace namid::attacks
