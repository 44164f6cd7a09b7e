// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/capacity.h"

#include "namid/attacks/norms.h"
#include "namid/attacks/transport_rows.h"

namespace namid::attacks {
namespace {

constexpr int kBisectEvery = 20;
constexpr double kRounding = 1e-6;
constexpr Bisection kMultiplier = {.iterations = 50};

double step_length(int step) {
  return step < 1000 ? 0.1 : step < 3000 ? 0.01 : 0.001;
}

/// The samples whose multipliers are still sought.
struct Ascending {
  at::Tensor index;  ///< in the batch
  at::Tensor plan, x, budget;
  at::Tensor multiplier, last;  ///< μ and ν
  at::Tensor lambda;

  at::Tensor pushed(const at::Tensor& by) const { return plan - gathered(by, kernel_of(plan)); }
  void climb(const at::Tensor& overflow, double step_length) {
    const auto next = (multiplier + overflow * step_length).clamp_min(0);
    multiplier = next * 1.9 - last * 0.9;
    last = next;
  }
  /// Only the rows at `kept` stay.
  void keep(const at::Tensor& kept) {
    for (auto* rows : {&index, &plan, &x, &budget, &multiplier, &last, &lambda})
      *rows = rows->index_select(0, kept);
  }
};

/// max |μ − max(μ + arrived − 1, 0)| of each sample: 0 at the solution alone.
at::Tensor residual(const at::Tensor& multiplier, const at::Tensor& overflow) {
  return (multiplier - (multiplier + overflow).clamp_min(0)).abs().flatten(1).amax(1);
}

at::Tensor moves_of(const at::Tensor& plan) {
  auto moves = plan.clamp_min(0);
  moves.select(-1, place_of_rest(kernel_of(plan))).zero_();
  return moves;
}

/// What stays of x; in float64, where the sum's own rounding cannot fill a pixel.
at::Tensor rest_of(const at::Tensor& moves, const at::Tensor& x) {
  return x - departed(moves);
}

/// Everything that does not move stays.
at::Tensor with_rest(at::Tensor moves, const at::Tensor& x) {
  const auto rest = rest_of(moves, x).clamp_min(0).to(x.scalar_type());
  moves.select(-1, place_of_rest(kernel_of(moves))).copy_(rest);
  return moves;
}

}  // namespace

at::Tensor capacity_projection(const at::Tensor& plan, const at::Tensor& x, const at::Tensor& costs,
                               const at::Tensor& budget, const CapacityAscent& ascent) {
  const int kernel = kernel_of(plan);
  auto result = dual_projection(plan, x, costs, budget, kMultiplier);
  Ascending rows{
      .index = (arrived(result, kernel).flatten(1).amax(1) > 1 + kRounding).nonzero().squeeze(1),
      .plan = plan,
      .x = x,
      .budget = budget,
      .multiplier = at::ones_like(x),
      .last = at::ones_like(x),
      .lambda = at::ones_like(budget)};
  const auto all = rows.index;
  rows.index = at::arange(plan.size(0), all.options());
  rows.keep(all);
  for (int step = 0; step < ascent.iterations && rows.index.numel() > 0; ++step) {
    const bool bisect = step % kBisectEvery == 0;
    const auto pushed = rows.pushed(rows.multiplier);
    if (bisect) rows.lambda = dual_multiplier(pushed, rows.x, costs, rows.budget, kMultiplier);
    const auto now = plan_at(rows.lambda, pushed, rows.x, costs);
    const auto overflow = arrived(now, kernel) - 1;
    const auto done = residual(rows.multiplier, overflow) <= ascent.tolerance;
    rows.climb(overflow, step_length(step));
    if (!bisect || ascent.tolerance == 0) continue;
    const auto found = done.nonzero().squeeze(1);
    if (found.numel() == 0) continue;
    result.index_copy_(0, rows.index.index_select(0, found), now.index_select(0, found));
    rows.keep(done.logical_not().nonzero().squeeze(1));
  }
  if (rows.index.numel() > 0)
    result.index_copy_(
        0, rows.index,
        dual_projection(rows.pushed(rows.last), rows.x, costs, rows.budget, kMultiplier));
  return result;
}

at::Tensor sent_back(const at::Tensor& plan, const at::Tensor& x) {
  constexpr int kByShares = 10;
  const int kernel = kernel_of(plan);
  auto moves = moves_of(plan);
  for (int round = 0;; ++round) {
    const auto came = arrived(moves, kernel);
    const auto excess = (rest_of(moves, x) + came - 1).to(x.scalar_type());
    const auto overfull = excess > kRounding;
    if (!overfull.any().item<bool>()) break;
    const auto share = round < kByShares ? (1 - excess / came).clamp(0, 1) : at::zeros_like(came);
    moves = moves * gathered(at::where(overfull, share, 1), kernel);
  }
  return with_rest(moves, x);
}

at::Tensor within_cost(const at::Tensor& plan, const at::Tensor& x, const at::Tensor& costs,
                       const at::Tensor& budget) {
  auto moves = moves_of(plan).masked_fill_(costs >= kOutside, 0);
  const auto share = (budget / transport_cost(moves, costs).clamp_min(1e-300)).clamp_max(1);
  return with_rest(moves.mul_(per_sample(share, moves).to(moves.scalar_type())), x);
}

}  // namespace namid::attacks
