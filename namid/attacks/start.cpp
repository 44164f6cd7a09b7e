// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/start.h"

#include "namid/attacks/norms.h"
#include "namid/attacks/projection.h"

namespace namid::attacks {
namespace {

constexpr double kGaussScale = 0.001;
// The radius is drawn beside the direction; no attack counts this many steps.
constexpr std::uint32_t kRadiusIteration = 0xFFFFFF;

at::Tensor uniform_in_l2_ball(const at::Tensor& x, double radius, const Random& random,
                              const SampleIds& ids, std::uint32_t epoch) {
  auto point = random_normal(random, ids, x, epoch);
  const auto entries = static_cast<double>(x.numel()) / static_cast<double>(x.size(0));
  const auto uniform =
      random_uniform(random, ids, x.new_empty({x.size(0)}), epoch, kRadiusIteration);
  const auto length = radius * uniform.to(at::kDouble).pow(1 / entries);
  const auto scale = length / sample_norms(point, Norm::l2).clamp_min(1e-12);
  return point.mul_(per_sample(scale.to(at::kFloat), point));
}

}  // namespace

at::Tensor start_point(const at::Tensor& x, Start start, const Budget& budget, const Random& random,
                       const SampleIds& ids, std::uint32_t epoch) {
  auto point = x.detach().clone();
  if (start == Start::none) return point;
  if (start == Start::gauss) return point.add_(random_normal(random, ids, x, epoch), kGaussScale);
  if (budget.norm == Norm::linf) {
    const auto uniform = random_uniform(random, ids, x, epoch);
    point.add_(uniform, 2 * budget.epsilon).sub_(budget.epsilon);
  } else {
    point.add_(uniform_in_l2_ball(x, budget.epsilon, random, ids, epoch));
  }
  Projection(x, budget)(point);
  return point;
}

}  // namespace namid::attacks
