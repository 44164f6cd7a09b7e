// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/fgsm.h"

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/projection.h"
#include "namid/attacks/rounds.h"
#include "namid/attacks/steps.h"
#include "namid/core/error.h"

namespace namid::attacks {
namespace {

constexpr std::string_view kWhere = "fgsm";

AttackResult step_up(const Classifier& model, const Round& round, const FgsmOptions& options,
                     const Context& context) {
  LossSurface surface(kWhere, model, round.y, climbed_loss(options.loss, options.targeted),
                      context);
  if (context.stop) context.stop->check();
  const auto start = surface.gradient(round.x, 0);
  if (context.observe) context.observe(0, start.loss.mean().item<double>());
  const auto x_adv =
      project(round.x + ascent(start.gradient, options.budget.norm) * options.budget.epsilon,
              round.x, options.budget);
  const auto end = surface.value(x_adv, 1);
  const auto fooled_before = fooled(start.logits, round.y, options.targeted);
  const auto fooled_after = fooled(end.logits, round.y, options.targeted);
  const auto stays = fooled_before & fooled_after.logical_not();
  AttackResult result{.x_adv = at::where(per_sample(stays, x_adv), round.x, x_adv),
                      .success = fooled_before | fooled_after,
                      .step = stays.logical_not().to(at::kLong),
                      .loss = at::where(stays, start.loss, end.loss),
                      .passes = {}};
  result.passes = surface.finish();
  return result;
}

}  // namespace

AttackResult fgsm(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                  const FgsmOptions& options, const Context& context) {
  validate(options, kWhere);
  validate_budget(options.budget, kWhere);
  check_batch(model, x, y, kWhere);
  check_loss(options.loss, options.targeted, model.info().num_classes, kWhere);
  if (options.loss == AttackLoss::kl)
    throw OptionError("[fgsm] loss: kl has no gradient at x; use cross_entropy, margin or dlr");
  const AttackScope scope(model);
  return run_rounds(kWhere, x, y, rounds(options), context,
                    [&](const Round& round) { return step_up(model, round, options, context); });
}

}  // namespace namid::attacks
