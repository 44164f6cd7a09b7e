// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/pgd.h"

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/projection.h"
#include "namid/attacks/steps.h"

namespace namid::attacks {
namespace {

constexpr std::string_view kWhere = "pgd";

LossFunction climbed_loss(const PgdOptions& options) {
  return [kind = options.loss, targeted = options.targeted](
             const at::Tensor&, const at::Tensor& logits, const at::Tensor& y) {
    const auto loss = attack_loss(kind, logits, y);
    return targeted ? -loss : loss;
  };
}

/// One run from the start point `x_adv`, which is moved to the final point.
void climb(at::Tensor& x_adv, LossSurface& surface, const Projection& project, Best& best,
           const at::Tensor& y, const PgdOptions& options, const Context& context, int restart) {
  const auto norm = options.budget.norm;
  const double step_size = options.step_size.value_or(options.budget.epsilon / 4);
  for (int step = 0; step < options.steps; ++step) {
    if (context.stop) context.stop->check();
    const auto point = surface.gradient(x_adv, step);
    if (options.judge == Judge::best && (step > 0 || start_is_feasible(options.start)))
      best.update(x_adv, point.loss, fooled(point.logits, y, options.targeted), step);
    if (context.observe)
      context.observe(restart * options.steps + step, point.loss.mean().item<double>());
    x_adv.add_(ascent(point.gradient, norm), step_size);
    project(x_adv);
  }
}

}  // namespace

AttackResult pgd(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                 const PgdOptions& options, const Context& context) {
  validate(options, kWhere);
  validate_budget(options.budget, kWhere);
  check_batch(model, x, y, kWhere);
  const AttackScope scope(model);
  const auto ids =
      context.ids.empty() && options.start != Start::none ? hash_sample_ids(x, y) : context.ids;
  const bool last_only = options.judge == Judge::last && options.restarts == 1;

  LossSurface surface(kWhere, model, y, climbed_loss(options), context);
  const Projection project(x, options.budget);
  Best best;
  for (int restart = 0; restart < options.restarts; ++restart) {
    auto x_adv = start_point(x, options.start, options.budget, context.random, ids,
                             context.epoch * static_cast<std::uint32_t>(options.restarts) +
                                 static_cast<std::uint32_t>(restart));
    climb(x_adv, surface, project, best, y, options, context, restart);
    if (last_only && !context.verdict) {
      const auto step = at::full_like(y, options.steps);
      return {.x_adv = x_adv, .success = {}, .step = step, .loss = {}, .passes = surface.finish()};
    }
    const auto point = surface.value(x_adv, options.steps);
    best.update(x_adv, point.loss, fooled(point.logits, y, options.targeted), options.steps);
  }
  auto result = best.result();
  result.passes = surface.finish();
  return result;
}

}  // namespace namid::attacks
