// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/apgd.h"

#include "namid/attacks/apgd_run.h"
#include "namid/attacks/attack_scope.h"

namespace namid::attacks {
namespace {

constexpr std::string_view kApgd = "apgd";

ApgdPlan plan_of(const ApgdOptions& options) {
  return {.last = {.budget = options.budget,
                   .steps = options.steps,
                   .rho = options.rho,
                   .compat = options.compat,
                   .l2_order = options.l2_order},
          .larger_epsilon =
              wants_larger_epsilon(options.larger_epsilon, options.budget, options.steps, kApgd),
          .targeted = options.targeted};
}

}  // namespace

AttackResult apgd(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                  const ApgdOptions& options, const Context& context) {
  validate(options, kApgd);
  check_compat(options.compat, {Compat::autoattack}, kApgd);
  validate_budget(options.budget, kApgd);
  check_batch(model, x, y, kApgd);
  check_loss(options.loss, options.targeted, model.info().num_classes, kApgd);
  const auto plan = plan_of(options);
  const AttackScope scope(model);
  return run_rounds(kApgd, x, y, rounds(options), context, [&](const Round& round) {
    LossSurface surface(kApgd, model, round.y, climbed_loss(options.loss, options.targeted),
                        context);
    surface.average({.draws = options.eot, .judge_last = options.compat == Compat::autoattack});
    if (options.loss == AttackLoss::kl)
      surface.climb(climbed_loss(options.loss, false, surface.logits(round.x, 0)));
    const auto noise = apgd_noise(round.x, plan, Draws(context, round.ids, round.epoch));
    return apgd_run(surface, round, plan, noise, context);
  });
}

}  // namespace namid::attacks
