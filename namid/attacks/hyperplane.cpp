// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/hyperplane.h"

#include <limits>

namespace namid::attacks {
namespace {

constexpr double kFlattest = std::numeric_limits<double>::min();

at::Tensor or_zero(const at::Tensor& ratio, const at::Tensor& weight) {
  return at::where(weight > 0, ratio, 0.0);
}

/// min(λ v_i, p_i) with Σ_i weight_i min(λ v_i, p_i) = gap; p_i everywhere if they do not reach it.
at::Tensor spread(const at::Tensor& weight, const at::Tensor& speed, const at::Tensor& room,
                  const at::Tensor& gap) {
  // Coordinates without weight get a breakpoint at 0, where they add nothing to the slope.
  const auto [full, order] = or_zero(room / speed, weight).sort(1);
  const auto start = at::zeros_like(gap);
  const auto breaks = at::cat({start, full}, 1);
  const auto slope = (weight * speed).gather(1, order).flip({1}).cumsum(1).flip({1});
  const auto reached = at::cat({start, (breaks.diff(1, 1) * slope).cumsum(1)}, 1);
  const auto segment = (reached < gap).sum(1, true).sub_(1).clamp_(0, slope.size(1) - 1);
  const auto missing = gap - reached.gather(1, segment);
  const auto lambda =
      breaks.gather(1, segment) + missing / slope.gather(1, segment).clamp_min_(kFlattest);
  return or_zero(at::minimum(lambda * speed, room), weight);
}

/// Coordinates in the order of falling weight, each to its room until Σ_i weight_i d_i = gap.
at::Tensor greedy(const at::Tensor& weight, const at::Tensor& room, const at::Tensor& gap) {
  const auto [falling, order] = weight.sort(true, 1, true);
  const auto space = room.gather(1, order);
  const auto reach = at::cat({at::zeros_like(gap), (falling * space).cumsum(1)}, 1);
  const auto missing = (gap - reach.narrow(1, 0, space.size(1))).clamp_min_(0);
  const auto moved = or_zero(at::minimum(missing / falling, space), falling);
  return at::zeros_like(moved).scatter_(1, order, moved);
}

}  // namespace

at::Tensor hyperplane_projection(const at::Tensor& t, const Hyperplane& plane, Norm norm) {
  const auto point = t.to(at::kDouble).flatten(1), w = plane.w.to(at::kDouble).flatten(1);
  const auto excess = (w * point).sum(1, true) - plane.b.to(at::kDouble).unsqueeze(1);
  const auto direction = at::where(excess < 0, w, -w).sign();
  const auto room = at::where(direction > 0, 1 - point, point);
  const auto weight = w.abs(), gap = excess.abs();
  const auto length = norm == Norm::l1
                          ? greedy(weight, room, gap)
                          : spread(weight, norm == Norm::l2 ? weight : weight.sign(), room, gap);
  return (direction * length).view(t.sizes());
}

}  // namespace namid::attacks
