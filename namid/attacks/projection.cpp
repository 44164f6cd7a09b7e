// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/projection.h"

#include <algorithm>
#include <cmath>

#include "namid/attacks/norms.h"

namespace namid::attacks {
namespace {

// Rounding x + d moves each of the n entries by up to 2^-25 = 3e-8; below this ratio of epsilon to
// sqrt(n) that alone could exceed the promised relative 1e-5.
constexpr double kFineRatio = 3.5e-3;

/// x_adv holds a perturbation; x is added so that rounding to float32 lengthens no entry.
void add_rounding_inwards(at::Tensor& x_adv, const at::Tensor& x) {
  const auto length = x_adv.abs();
  x_adv.add_(x);
  const auto too_far = (x_adv - x).abs_() > length;
  x_adv.copy_(at::where(too_far, at::nextafter(x_adv, x), x_adv)).clamp_(0, 1);
}

}  // namespace

Projection::Projection(const at::Tensor& x, const Budget& budget, L2Order order)
    : x_(x.detach()), budget_(budget), order_(order) {
  if (budget.norm == Norm::linf) {
    lower_ = (x_ - budget.epsilon).clamp_min_(0);
    upper_ = (x_ + budget.epsilon).clamp_max_(1);
  } else if (budget.norm == Norm::l2) {
    const auto entries = static_cast<double>(x_.numel()) / static_cast<double>(x_.size(0));
    fine_ = budget.epsilon < kFineRatio * std::sqrt(entries);
  }
}

void Projection::operator()(at::Tensor& x_adv) const {
  if (budget_.epsilon == 0) {
    x_adv.copy_(x_);
  } else if (budget_.norm == Norm::linf) {
    x_adv.clamp_(lower_, upper_);
  } else if (budget_.norm == Norm::l2) {
    project_l2(x_adv);
  } else if (budget_.norm == Norm::l1) {
    project_l1(x_adv);
  } else {
    project_l0(x_adv);
  }
}

void Projection::project_l2(at::Tensor& x_adv) const {
  if (order_ == L2Order::box_first) x_adv.clamp_(0, 1);
  x_adv.sub_(x_);
  const auto factor = (budget_.epsilon / sample_norms(x_adv, Norm::l2)).clamp_max_(1);
  x_adv.mul_(per_sample(factor.to(x_adv.scalar_type()), x_adv));
  if (!fine_) {
    x_adv.add_(x_).clamp_(0, 1);
    return;
  }
  add_rounding_inwards(x_adv, x_);
}

void Projection::project_l1(at::Tensor& x_adv) const {
  const auto v = x_adv.to(at::kDouble).sub_(x_.to(at::kDouble));
  x_adv.copy_(l1_box_projection(v, x_, budget_.epsilon));
  add_rounding_inwards(x_adv, x_);
}

void Projection::project_l0(at::Tensor& x_adv) const {
  x_adv.clamp_(0, 1);
  const auto length = (x_adv - x_).abs_().flatten(1);
  const auto kept = std::min(static_cast<std::int64_t>(budget_.epsilon), length.size(1));
  const auto order = std::get<1>(length.sort(/*stable=*/true, 1, /*descending=*/true));
  const auto moved = at::zeros_like(length, at::kBool).scatter_(1, order.narrow(1, 0, kept), true);
  x_adv.copy_(at::where(moved.view(x_adv.sizes()), x_adv, x_));
}

at::Tensor l1_box_projection(const at::Tensor& v, const at::Tensor& x, double epsilon) {
  const auto length = v.to(at::kDouble).abs().flatten(1);
  const auto centre = x.to(at::kDouble).flatten(1);
  const auto room =
      at::minimum(length, at::where(v.flatten(1) > 0, 1 - centre, centre)).clamp_min_(0);
  // Σ_i |z_i(α)| between breakpoints: it starts at Σ room and falls with the number of open terms.
  const auto [breaks, order] = at::cat({length - room, length}, 1).sort(1);
  const auto entering = at::where(order < length.size(1), -1.0, 1.0);
  const auto slope = entering.to(at::kDouble).cumsum(1).narrow(1, 0, breaks.size(1) - 1);
  const auto start = room.sum(1, true);
  const auto total = at::cat({start, start + (slope * breaks.diff(1, 1)).cumsum(1)}, 1);
  const auto segment = (total > epsilon)
                           .sum(1, true)
                           .sub_(1)
                           .clamp_(0, std::max<std::int64_t>(slope.size(1) - 1, 0));
  const auto excess = total.gather(1, segment) - epsilon;
  const auto fall = (-slope.gather(1, segment)).clamp_min_(1);
  const auto alpha = at::where(start > epsilon, breaks.gather(1, segment) + excess / fall, 0.0);
  const auto kept = at::minimum((length - alpha).clamp_min_(0), room);
  return (v.flatten(1).sign() * kept).view(v.sizes());
}

at::Tensor project(const at::Tensor& x_adv, const at::Tensor& x, const Budget& budget,
                   L2Order order) {
  auto moved = x_adv.detach().clone();
  Projection(x, budget, order)(moved);
  return moved;
}

at::Tensor move_inside(at::Tensor& x_adv, const at::Tensor& x, const Budget& budget) {
  const auto inside = perturbation_norms(x_adv, x, budget.norm) <= budget.epsilon;
  x_adv = at::where(per_sample(inside, x), x_adv, project(x_adv, x, budget));
  return inside;
}

}  // namespace namid::attacks
