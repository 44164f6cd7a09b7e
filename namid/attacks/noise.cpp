// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/noise.h"

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/projection.h"
#include "namid/attacks/rounds.h"
#include "namid/attacks/start.h"

namespace namid::attacks {
namespace {

constexpr std::string_view kNoise = "noise";

/// The point moved from x to the border of the ball, then into the box.
at::Tensor on_border(const at::Tensor& point, const at::Tensor& x, const Budget& budget) {
  const auto delta = point - x;
  if (budget.norm == Norm::linf) return project(x + budget.epsilon * delta.sign(), x, budget);
  const auto longer = budget.epsilon / sample_norms(delta, budget.norm).clamp_min(1e-30);
  return project(x + delta * per_sample(longer, x).to(at::kFloat), x, budget);
}

}  // namespace

AttackResult noise(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                   const NoiseOptions& options, const Context& context) {
  validate(options, kNoise);
  validate_budget(options.budget, kNoise);
  check_batch(model, x, y, kNoise);
  const AttackScope scope(model);
  return run_rounds(kNoise, x, y, rounds(options), context, [&](const Round& round) {
    if (context.stop) context.stop->check();
    LossSurface surface(kNoise, model, round.y, climbed_loss(AttackLoss::margin, options.targeted),
                        context);
    auto point = start_point(round.x, Start::uniform, options.budget,
                             Draws(context, round.ids, round.epoch));
    if (options.kind == NoiseKind::border && options.budget.epsilon > 0)
      point = on_border(point, round.x, options.budget);
    const auto value = surface.value(point, round.index);
    if (context.observe) context.observe(round.index, value.loss.mean().item<double>());
    return AttackResult{.x_adv = point,
                        .success = fooled(value.logits, round.y, options.targeted),
                        .step = at::zeros_like(round.y),
                        .loss = value.loss,
                        .passes = surface.finish()};
  });
}

}  // namespace namid::attacks
