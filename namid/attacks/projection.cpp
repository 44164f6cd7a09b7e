// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/projection.h"

#include <cmath>

#include "namid/attacks/norms.h"

namespace namid::attacks {
namespace {

// Rounding x + d moves each of the n entries by up to 2^-25 = 3e-8; below this ratio of epsilon to
// sqrt(n) that alone could exceed the promised relative 1e-5.
constexpr double kFineRatio = 3.5e-3;

}  // namespace

Projection::Projection(const at::Tensor& x, const Budget& budget)
    : x_(x.detach()), budget_(budget) {
  if (budget.norm == Norm::linf) {
    lower_ = (x_ - budget.epsilon).clamp_min_(0);
    upper_ = (x_ + budget.epsilon).clamp_max_(1);
  } else {
    const auto entries = static_cast<double>(x_.numel()) / static_cast<double>(x_.size(0));
    fine_ = budget.epsilon < kFineRatio * std::sqrt(entries);
  }
}

void Projection::operator()(at::Tensor& x_adv) const {
  if (budget_.epsilon == 0) {
    x_adv.copy_(x_);
  } else if (budget_.norm == Norm::linf) {
    x_adv.clamp_(lower_, upper_);
  } else {
    project_l2(x_adv);
  }
}

void Projection::project_l2(at::Tensor& x_adv) const {
  x_adv.sub_(x_);
  const auto factor = (budget_.epsilon / sample_norms(x_adv, Norm::l2)).clamp_max_(1);
  x_adv.mul_(per_sample(factor.to(x_adv.scalar_type()), x_adv));
  if (!fine_) {
    x_adv.add_(x_).clamp_(0, 1);
    return;
  }
  const auto length = x_adv.abs();
  x_adv.add_(x_);
  const auto too_far = (x_adv - x_).abs_() > length;
  x_adv.copy_(at::where(too_far, at::nextafter(x_adv, x_), x_adv)).clamp_(0, 1);
}

at::Tensor project(const at::Tensor& x_adv, const at::Tensor& x, const Budget& budget) {
  auto moved = x_adv.detach().clone();
  Projection(x, budget)(moved);
  return moved;
}

}  // namespace namid::attacks
