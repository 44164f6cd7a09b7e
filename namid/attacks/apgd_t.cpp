// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/apgd_t.h"

#include "namid/attacks/apgd_run.h"
#include "namid/attacks/attack_scope.h"
#include "namid/attacks/checks.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/rivals.h"

namespace namid::attacks {
namespace {

constexpr std::string_view kApgdT = "apgd-t";

ApgdPlan plan_of(const ApgdTOptions& options) {
  return {.last = {.budget = options.budget,
                   .steps = options.steps,
                   .rho = options.rho,
                   .compat = options.compat,
                   .l2_order = options.l2_order},
          .larger_epsilon =
              wants_larger_epsilon(options.larger_epsilon, options.budget, options.steps, kApgdT)};
}

LossFunction towards(const at::Tensor& target) {
  return [=](const at::Tensor&, const at::Tensor& logits, const at::Tensor& y) {
    return dlr_targeted(logits, y, target);
  };
}

}  // namespace

AttackResult apgd_t(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                    const ApgdTOptions& options, const Context& context) {
  validate(options, kApgdT);
  check_compat(options.compat, {Compat::autoattack}, kApgdT);
  validate_budget(options.budget, kApgdT);
  check_batch(model, x, y, kApgdT);
  const auto classes = model.info().num_classes;
  check_four_classes(classes, kApgdT);
  const auto plan = plan_of(options);
  const bool published = options.compat == Compat::autoattack;
  const AttackScope scope(model);
  return run_rounds(kApgdT, x, y, rounds(options, classes), context, [&](const Round& round) {
    LossSurface surface(kApgdT, model, round.y, {}, context);
    surface.average({.draws = published ? 1 : options.eot});
    const auto clean = surface.logits(round.x, 0);
    surface.climb(towards(rival_classes(clean, round.y).select(1, round.index / options.restarts)));
    surface.average({.draws = options.eot, .judge_last = published});
    const auto noise = apgd_noise(round.x, plan, Draws(context, round.ids, round.epoch));
    return apgd_run(surface, round, plan, noise, context);
  });
}

}  // namespace namid::attacks
