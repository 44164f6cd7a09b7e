// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/start.h"

#include "namid/attacks/norms.h"
#include "namid/attacks/projection.h"

namespace namid::attacks {
namespace {

constexpr double kGaussScale = 0.001;
// The radius is drawn beside the direction; no attack counts this many steps.
constexpr std::uint32_t kRadiusIteration = 0xFFFFFF;

/// Uniform on the sphere of norm 1: normal entries in L2, Laplace entries in L1, divided by their
/// norm.
at::Tensor uniform_direction(const at::Tensor& x, Norm norm, const Draws& draws) {
  auto point = norm == Norm::l2 ? draws.normal(x) : draws.uniform(x).mul_(2).sub_(1);
  if (norm == Norm::l1) point = point.sign() * -at::log1p(-point.abs());
  return point.div_(per_sample(sample_norms(point, norm).clamp_min_(1e-12).to(at::kFloat), point));
}

/// Uniform in the ball's volume: the radius is U^(1/d).
at::Tensor uniform_in_ball(const at::Tensor& x, const Budget& budget, const Draws& draws) {
  auto point = uniform_direction(x, budget.norm, draws);
  const auto entries = static_cast<double>(x.numel()) / static_cast<double>(x.size(0));
  const auto uniform = draws.uniform(x.new_empty({x.size(0)}), kRadiusIteration);
  const auto length = uniform.to(at::kDouble).pow(1 / entries) * budget.epsilon;
  return point.mul_(per_sample(length.to(at::kFloat), point));
}

}  // namespace

at::Tensor start_point(const at::Tensor& x, Start start, const Budget& budget, const Draws& draws) {
  auto point = x.detach().clone();
  if (start == Start::none) return point;
  if (start == Start::gauss) {
    if (draws.sequential() && budget.norm == Norm::l2) draws.normal(x);
    return point.add_(draws.normal(x), kGaussScale);
  }
  if (budget.norm == Norm::linf) {
    point.add_(draws.uniform(x), 2 * budget.epsilon).sub_(budget.epsilon);
  } else {
    point.add_(uniform_in_ball(x, budget, draws));
  }
  Projection(x, budget)(point);
  return point;
}

at::Tensor start_point(const at::Tensor& x, Start start, const Budget& budget, const Random& random,
                       const SampleIds& ids, std::uint32_t epoch) {
  const Context context{.random = random};
  return start_point(x, start, budget, Draws(context, ids, epoch));
}

}  // namespace namid::attacks
