// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/apgd.h"

#include "namid/attacks/apgd_run.h"
#include "namid/attacks/attack_scope.h"

namespace namid::attacks {
namespace {

constexpr std::string_view kWhere = "apgd";

ApgdPlan plan_of(const ApgdOptions& options) {
  return {.last = {.budget = options.budget,
                   .steps = options.steps,
                   .rho = options.rho,
                   .compat = options.compat},
          .larger_epsilon =
              wants_larger_epsilon(options.larger_epsilon, options.budget, options.steps, kWhere),
          .targeted = options.targeted};
}

}  // namespace

AttackResult apgd(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                  const ApgdOptions& options, const Context& context) {
  validate(options, kWhere);
  check_compat(options.compat, {Compat::autoattack}, kWhere);
  validate_budget(options.budget, kWhere);
  check_batch(model, x, y, kWhere);
  check_loss(options.loss, options.targeted, model.info().num_classes, kWhere);
  const auto plan = plan_of(options);
  const AttackScope scope(model);
  return run_rounds(kWhere, x, y, rounds(options), context, [&](const Round& round) {
    LossSurface surface(kWhere, model, round.y, climbed_loss(options.loss, options.targeted),
                        context);
    surface.average({.draws = options.eot, .judge_last = options.compat == Compat::autoattack});
    if (options.loss == AttackLoss::kl)
      surface.climb(climbed_loss(options.loss, false, surface.logits(round.x, 0)));
    const auto noise = apgd_noise(round.x, plan, Draws(context, round.ids, round.epoch));
    return apgd_run(surface, round, plan, noise, context);
  });
}

}  // namespace namid::attacks
