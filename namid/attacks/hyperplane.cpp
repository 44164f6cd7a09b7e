// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/hyperplane.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "namid/core/tensor_parallel.h"

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

/// A row of the projection for linf and l2 by plain loops: its weights, the room of each
/// coordinate, and the step on it.
struct PlainRow {
  const double* t;
  const double* w;
  double* d;
  std::int64_t size;
  bool by_weight;  ///< l2: speeds are weights, else 1

  double speed(std::int64_t i) const { return by_weight ? std::abs(w[i]) : 1; }
  double excess(double b) const {
    double sum = 0;
    for (std::int64_t i = 0; i < size; ++i) sum += w[i] * t[i];
    return sum - b;
  }
  /// The root λ of Σ |w_i| min(λ v_i, p_i) = gap, ∞ where there is none. The sum is concave, so
  /// that Newton's steps from below stay below it, and end once no other coordinate reaches its
  /// border. p: the room.
  double multiplier(double gap, const std::vector<double>& p) const {
    double lambda = 0;
    while (true) {
      double reached = 0, slope = 0;
      for (std::int64_t i = 0; i < size; ++i) {
        const double weight = std::abs(w[i]), rate = speed(i),
                     room = p[static_cast<std::size_t>(i)];
        const bool full = lambda > 0 && lambda * rate >= room;
        reached += full ? weight * room : 0;
        slope += full ? 0 : weight * rate;
      }
      if (slope < kFlattest) return std::numeric_limits<double>::infinity();
      const double next = (gap - reached) / slope;
      if (!(next > lambda)) return lambda;
      lambda = next;
    }
  }
  void project(double b) const {
    const double over = excess(b);
    std::vector<double> p(static_cast<std::size_t>(size));
    for (std::int64_t i = 0; i < size; ++i)
      p[static_cast<std::size_t>(i)] = (over < 0) == (w[i] > 0) ? 1 - t[i] : t[i];
    const double lambda = multiplier(std::abs(over), p);
    for (std::int64_t i = 0; i < size; ++i) {
      const double length =
          w[i] == 0 ? 0 : std::min(lambda * speed(i), p[static_cast<std::size_t>(i)]);
      d[i] = (over < 0) == (w[i] > 0) ? length : -length;
    }
  }
};

/// t, w: float64 (N, D) on the CPU; b: float64 (N).
at::Tensor project_rows(const at::Tensor& t, const at::Tensor& w, const at::Tensor& b, Norm norm) {
  const auto size = t.size(1);
  auto d = at::empty_like(t);
  parallel_for(0, t.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto row = begin; row < end; ++row)
      PlainRow{.t = t.const_data_ptr<double>() + row * size,
               .w = w.const_data_ptr<double>() + row * size,
               .d = d.data_ptr<double>() + row * size,
               .size = size,
               .by_weight = norm == Norm::l2}
          .project(b.const_data_ptr<double>()[row]);
  });
  return d;
}

}  // namespace

at::Tensor hyperplane_projection(const at::Tensor& t, const Hyperplane& plane, Norm norm) {
  if (!t.is_cpu() || norm == Norm::l1) return hyperplane_projection_by_sorting(t, plane, norm);
  const auto rows = [](const at::Tensor& all) { return all.to(at::kDouble).contiguous(); };
  return project_rows(rows(t.flatten(1)), rows(plane.w.flatten(1)), rows(plane.b), norm)
      .view(t.sizes());
}

at::Tensor hyperplane_projection_by_sorting(const at::Tensor& t, const Hyperplane& plane,
                                            Norm norm) {
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
