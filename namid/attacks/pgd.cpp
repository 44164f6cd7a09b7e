// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/pgd.h"

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/projection.h"
#include "namid/attacks/rounds.h"
#include "namid/attacks/steps.h"
#include "namid/core/error.h"

namespace namid::attacks {
namespace {

/// One run from a start point of its own.
AttackResult climb(const Classifier& model, const Round& round, const PgdOptions& options,
                   const Context& context, std::string_view name) {
  LossSurface surface(name, model, round.y, climbed_loss(options.loss, options.targeted), context);
  surface.average({.draws = options.eot});
  if (options.loss == AttackLoss::kl)
    surface.climb(climbed_loss(options.loss, false, surface.logits(round.x, 0)));
  const Projection project(round.x, options.budget, options.l2_order);
  const double step_size = options.step_size.value_or(options.budget.epsilon / 4);
  Best best;
  auto x_adv =
      start_point(round.x, options.start, options.budget, Draws(context, round.ids, round.epoch));
  for (int step = 0; step < options.steps; ++step) {
    if (context.stop) context.stop->check();
    const auto point = surface.gradient(x_adv, step);
    if (options.judge == Judge::best && (step > 0 || start_is_feasible(options.start)))
      best.update(x_adv, point.loss, fooled(point.logits, round.y, options.targeted), step);
    if (context.observe)
      context.observe(round.index * options.steps + step, point.loss.mean().item<double>());
    const auto gradient =
        options.budget.norm == Norm::l1 ? inside_box(point.gradient, x_adv) : point.gradient;
    x_adv.add_(ascent(gradient, options.budget.norm), step_size);
    project(x_adv);
  }
  if (options.judge == Judge::last && options.restarts == 1 && !context.verdict)
    return {.x_adv = x_adv,
            .success = {},
            .step = at::full_like(round.y, options.steps),
            .loss = {},
            .passes = surface.finish()};
  const auto end = surface.value(x_adv, options.steps);
  best.update(x_adv, end.loss, fooled(end.logits, round.y, options.targeted), options.steps);
  auto result = best.result();
  result.passes = surface.finish();
  return result;
}

}  // namespace

AttackResult pgd(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                 const PgdOptions& options, const Context& context) {
  return pgd_named("pgd", model, x, y, options, context);
}

AttackResult pgd_named(std::string_view name, const Classifier& model, const at::Tensor& x,
                       const at::Tensor& y, const PgdOptions& options, const Context& context) {
  validate(options, name);
  validate_budget(options.budget, name);
  check_batch(model, x, y, name);
  check_loss(options.loss, options.targeted, model.info().num_classes, name);
  if (options.loss == AttackLoss::kl && options.start == Start::none)
    throw OptionError(
        str("[", name, "] start: kl has no gradient at x; use uniform or gauss-0.001"));
  const AttackScope scope(model);
  return run_rounds(name, x, y, rounds(options), context, [&](const Round& round) {
    return climb(model, round, options, context, name);
  });
}

}  // namespace namid::attacks
