// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/projected_sinkhorn.h"

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/checks.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/plan_climb.h"
#include "namid/attacks/rounds.h"

namespace namid::attacks {
namespace {

constexpr std::string_view kProjectedSinkhorn = "projected-sinkhorn";

/// Rows of `a` where `which`, else of `b`.
at::Tensor choose(const at::Tensor& which, const at::Tensor& a, const at::Tensor& b) {
  return at::where(per_sample(which, a), a, b);
}

/// The clean images as a result, of the loss and verdict there.
AttackResult at_rest(const Round& round, int kernel, const LossAndGradient& point) {
  BestPlan clean;
  clean.update(plan_of_rest(round.x, kernel), round.x, point, fooled(point.logits, round.y, false),
               0);
  return clean.result();
}

AttackResult merged(const at::Tensor& sound, const AttackResult& found, const AttackResult& clean) {
  auto made = found;
  made.x_adv = choose(sound, found.x_adv, clean.x_adv);
  made.plan = choose(sound, found.plan, clean.plan);
  made.success = at::where(sound, found.success, clean.success);
  made.loss = at::where(sound, found.loss, clean.loss);
  made.step = at::where(sound, found.step, clean.step);
  return made;
}

AttackResult climb_sinkhorn(const Classifier& model, const Round& round,
                            const ProjectedSinkhornOptions& options, const Context& context) {
  const auto& x = round.x;
  LossSurface surface(kProjectedSinkhorn, model, round.y,
                      climbed_loss(AttackLoss::cross_entropy, false), context);
  const TransportBall ball(x, options.budget.epsilon, options.kernel);
  const auto mass = mass_of(x);
  auto plan = plan_of_rest(x, options.kernel);
  auto image = x;
  auto sound = at::ones_like(round.y, at::kBool);
  AttackResult clean;
  BestPlan best;
  for (int step = 0; step < options.steps; ++step) {
    if (context.stop) context.stop->check();
    const auto point = surface.gradient(image, step);
    if (context.observe) context.observe(step, point.loss.mean().item<double>());
    if (step == 0) clean = at_rest(round, options.kernel, point);
    if (options.judge == Judge::best)
      best.update(plan, image, point, fooled(point.logits, round.y, false), step);
    if (options.budget.epsilon == 0) continue;
    const auto projected =
        sinkhorn_projection(image + point.gradient.sign() * options.step_size, x, ball.costs,
                            options.budget.epsilon, options.projection);
    sound = sound & projected.finite;
    const auto moved = (projected.plan * per_sample(mass, projected.plan)).to(x.scalar_type());
    const auto kept = within_cost(choose(sound, moved, clean.plan), x, ball.costs, ball.limit);
    plan = sent_back(kept, x);
    image = arrived(plan, options.kernel).clamp(0, 1);
  }
  const auto end = surface.value(image, options.steps);
  best.update(plan, image, end, fooled(end.logits, round.y, false), options.steps);
  auto made = merged(sound, best.result(), clean);
  made.plan = made.plan.contiguous();
  made.passes = surface.finish();
  return made;
}

}  // namespace

AttackResult projected_sinkhorn(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                                const ProjectedSinkhornOptions& options, const Context& context) {
  validate(options, kProjectedSinkhorn);
  validate_budget(options.budget, kProjectedSinkhorn, {Norm::wasserstein});
  check_batch(model, x, y, kProjectedSinkhorn);
  check_images(x, kProjectedSinkhorn);
  const AttackScope scope(model);
  return run_rounds(kProjectedSinkhorn, x, y, 1, context, [&](const Round& round) {
    return climb_sinkhorn(model, round, options, context);
  });
}

}  // namespace namid::attacks
