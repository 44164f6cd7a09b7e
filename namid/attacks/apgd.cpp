// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/apgd.h"

#include "namid/attacks/apgd_run.h"
#include "namid/attacks/attack_scope.h"

namespace namid::attacks {
namespace {

/// The registry's name of the attack with that loss.
std::string_view name_of(const ApgdOptions& options) {
  switch (options.loss) {
    case AttackLoss::cross_entropy:
      return "apgd-ce";
    case AttackLoss::dlr:
      return "apgd-dlr";
    case AttackLoss::margin:
    case AttackLoss::kl:
      break;
  }
  return "apgd";
}

ApgdPlan plan_of(const ApgdOptions& options, std::string_view name) {
  return {.last = {.budget = options.budget,
                   .steps = options.steps,
                   .rho = options.rho,
                   .compat = options.compat,
                   .l2_order = options.l2_order},
          .larger_epsilon =
              wants_larger_epsilon(options.larger_epsilon, options.budget, options.steps, name),
          .targeted = options.targeted};
}

}  // namespace

AttackResult apgd(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                  const ApgdOptions& options, const Context& context) {
  const auto name = name_of(options);
  validate(options, name);
  check_compat(options.compat, {Compat::autoattack}, name);
  validate_budget(options.budget, name);
  check_batch(model, x, y, name);
  check_loss(options.loss, options.targeted, model.info().num_classes, name);
  const auto plan = plan_of(options, name);
  const AttackScope scope(model);
  return run_rounds(name, x, y, rounds(options), context, [&](const Round& round) {
    LossSurface surface(name, model, round.y, climbed_loss(options.loss, options.targeted),
                        context);
    surface.average({.draws = options.eot, .judge_last = options.compat == Compat::autoattack});
    if (options.loss == AttackLoss::kl)
      surface.climb(climbed_loss(options.loss, false, surface.logits(round.x, 0)));
    const auto noise = apgd_noise(round.x, plan, Draws(context, round.ids, round.epoch));
    return apgd_run(surface, round, plan, noise, context);
  });
}

}  // namespace namid::attacks
