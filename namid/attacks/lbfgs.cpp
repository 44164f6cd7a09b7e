// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/lbfgs.h"

#include <deque>
#include <limits>
#include <vector>

namespace namid::attacks {
namespace {

constexpr double kDecrease = 1e-4, kCurvature = 0.9, kLeastCurvature = 1e-10;

at::Tensor as_column(const at::Tensor& values) {
  return values.unsqueeze(1);
}

at::Tensor row_product(const at::Tensor& a, const at::Tensor& b) {
  return (a * b).sum(1);
}

/// One step and its change of the gradient; weight 1 / sᵀy, 0 in rows that have no such pair.
struct Pair {
  at::Tensor s, y, weight;
};

struct Points {
  at::Tensor rows;
  RowValues at;
};

class RowMemory {
 public:
  explicit RowMemory(const at::Tensor& gradient) : scale_(first_scale(gradient)) {}

  /// −H g by the two loops; the steepest descent where that would climb.
  at::Tensor direction(const at::Tensor& gradient) const {
    auto d = -gradient;
    std::vector<at::Tensor> shares;
    for (auto pair = pairs_.rbegin(); pair != pairs_.rend(); ++pair) {
      shares.push_back(pair->weight * row_product(pair->s, d));
      d = d - as_column(shares.back()) * pair->y;
    }
    d = d * as_column(scale_);
    for (const auto& pair : pairs_) {
      d = d + as_column(shares.back() - pair.weight * row_product(pair.y, d)) * pair.s;
      shares.pop_back();
    }
    const auto steepest = -gradient * as_column(first_scale(gradient));
    return at::where(as_column(row_product(gradient, d) < 0), d, steepest);
  }

  void add(const Points& from, const Points& to, std::size_t most) {
    const auto s = to.rows - from.rows, y = to.at.gradient - from.at.gradient;
    const auto curvature = row_product(s, y), square = row_product(y, y);
    const auto usable = curvature > kLeastCurvature * square;
    scale_ = at::where(usable, curvature / square, scale_);
    pairs_.push_back({s, y, at::where(usable, 1 / curvature, 0)});
    if (pairs_.size() > most) pairs_.pop_front();
  }

  void forget(const at::Tensor& which, const at::Tensor& gradient) {
    for (auto& pair : pairs_) pair.weight = pair.weight.masked_fill(which, 0);
    scale_ = at::where(which, first_scale(gradient), scale_);
  }

 private:
  /// A first step of length 1 at most.
  static at::Tensor first_scale(const at::Tensor& gradient) {
    return 1 / row_product(gradient, gradient).sqrt().clamp_min(1);
  }

  std::deque<Pair> pairs_;
  at::Tensor scale_;
};

void take(Points& kept, const at::Tensor& which, const Points& other) {
  kept.rows = at::where(as_column(which), other.rows, kept.rows);
  kept.at.value = at::where(which, other.at.value, kept.at.value);
  kept.at.gradient = at::where(as_column(which), other.at.gradient, kept.at.gradient);
}

/// Moves the rows in `open` along d to lower points; those that found one.
at::Tensor search_line(const RowObjective& objective, Points& points, const at::Tensor& d,
                       at::Tensor open, int trials) {
  const auto from = points;
  const auto slope = row_product(from.at.gradient, d);
  auto low = at::zeros_like(slope), length = at::ones_like(slope), moved = at::zeros_like(open);
  auto high = at::full_like(slope, std::numeric_limits<double>::infinity());
  for (int trial = 0; trial < trials && open.any().item<bool>(); ++trial) {
    Points tried{at::where(as_column(open), from.rows + as_column(length) * d, points.rows), {}};
    tried.at = objective(tried.rows);
    const auto lower = open & (tried.at.value <= from.at.value + kDecrease * length * slope);
    const auto flat = row_product(tried.at.gradient, d) >= kCurvature * slope;
    take(points, lower, tried);
    moved = moved | lower;
    low = at::where(lower, length, low);
    high = at::where(open & lower.logical_not(), length, high);
    open = open & (lower & flat).logical_not();
    length = at::where(high.isinf(), 2 * low, (low + high) / 2);
  }
  return moved;
}

}  // namespace

at::Tensor minimise_rows(const RowObjective& objective, const at::Tensor& start,
                         const LbfgsOptions& options) {
  Points points{start, objective(start)};
  RowMemory memory(points.at.gradient);
  auto open = at::ones_like(points.at.value, at::kBool), stuck = at::zeros_like(open);
  for (int step = 0; step < options.steps; ++step) {
    open = open & (points.at.gradient.abs().amax(1) > options.tolerance);
    if (!open.any().item<bool>()) break;
    const auto from = points;
    const auto moved =
        search_line(objective, points, memory.direction(points.at.gradient), open, options.trials);
    memory.add(from, points, static_cast<std::size_t>(options.memory));
    const auto failed = open & moved.logical_not();
    memory.forget(failed, points.at.gradient);
    open = open & (failed & stuck).logical_not();
    stuck = failed;
  }
  return points.rows;
}

}  // namespace namid::attacks
