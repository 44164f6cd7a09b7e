// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/random_search.h"

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/projection.h"
#include "namid/attacks/rounds.h"
#include "namid/attacks/start.h"

namespace namid::attacks {
namespace {

constexpr std::string_view kRandomSearch = "random-search";

AttackResult search(const Classifier& model, const Round& round, const RandomSearchOptions& options,
                    const Context& context) {
  LossSurface surface(kRandomSearch, model, round.y,
                      climbed_loss(AttackLoss::margin, options.targeted), context);
  const auto& budget = options.budget;
  const Budget step_ball{budget.norm, options.step_size.value_or(budget.epsilon)};
  const auto start = surface.value(round.x, 0);
  AttackResult best{.x_adv = round.x.clone(),
                    .success = fooled(start.logits, round.y, options.targeted),
                    .step = at::zeros_like(round.y),
                    .loss = start.loss,
                    .passes = {}};
  for (int step = 1; step <= options.steps; ++step) {
    if (context.stop) context.stop->check();
    if (context.compact && best.success.all().item<bool>()) break;
    const Draws draws(context, round.ids,
                      round.epoch * static_cast<std::uint32_t>(options.steps) + step - 1);
    const auto next =
        project(start_point(best.x_adv, Start::uniform, step_ball, draws), round.x, budget);
    const auto point = surface.value(next, step);
    const auto wins = fooled(point.logits, round.y, options.targeted);
    const auto better = best.success.logical_not() & (wins | (point.loss > best.loss));
    best.x_adv = at::where(per_sample(better, next), next, best.x_adv);
    best.loss = at::where(better, point.loss, best.loss);
    best.step = best.step.masked_fill(better, step);
    best.success = best.success | wins;
    if (context.observe) context.observe(step - 1, best.loss.mean().item<double>());
  }
  best.forwards = at::where(best.success, best.step + 1, options.steps + 1);
  best.backwards = at::zeros_like(best.step);
  best.passes = surface.finish();
  return best;
}

}  // namespace

AttackResult random_search(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                           const RandomSearchOptions& options, const Context& context) {
  validate(options, kRandomSearch);
  validate_budget(options.budget, kRandomSearch);
  check_batch(model, x, y, kRandomSearch);
  const AttackScope scope(model);
  return run_rounds(kRandomSearch, x, y, rounds(options), context,
                    [&](const Round& round) { return search(model, round, options, context); });
}

}  // namespace namid::attacks
