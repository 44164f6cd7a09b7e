// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/plan_climb.h"

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/checks.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/rounds.h"

namespace namid::attacks {
namespace {

/// G / max|G| per sample; a vanishing one stays.
at::Tensor of_unit_height(const at::Tensor& gradient) {
  const auto height = sample_norms(gradient, Norm::linf).to(gradient.scalar_type()) + 1e-35;
  return gradient / per_sample(height, gradient);
}

/// The best plan without overflow, and its image judged again.
AttackResult projected(const AttackResult& best, const PlanForm& form, const TransportBall& ball,
                       const at::Tensor& y, LossSurface& surface) {
  auto made = best;
  const auto nearest =
      capacity_projection(best.plan, ball.x, ball.costs, ball.limit, form.capacity);
  made.plan = sent_back(within_cost(nearest, ball.x, ball.costs, ball.limit), ball.x);
  made.x_adv = arrived(made.plan, form.kernel).clamp(0, 1);
  const auto point = surface.value(made.x_adv, form.steps);
  made.loss = point.loss;
  made.success = fooled(point.logits, y, false);
  return made;
}

AttackResult climb_plan(const Classifier& model, const Round& round, const PlanForm& form,
                        const Context& context) {
  const auto& x = round.x;
  const auto& y = round.y;
  LossSurface surface(form.where, model, y, climbed_loss(AttackLoss::cross_entropy, false),
                      context);
  const TransportBall ball(x, form.budget.epsilon, form.kernel);
  const auto without_overflow = [&](const at::Tensor& plan) {
    return form.overflow == Overflow::send_back ? sent_back(plan, x) : plan;
  };
  const auto image_of = [&](const at::Tensor& plan) {
    return arrived(plan, form.kernel).clamp(0, 1);
  };
  auto plan = plan_of_rest(x, form.kernel);
  BestPlan best;
  for (int step = 0; step < form.steps; ++step) {
    if (context.stop) context.stop->check();
    const auto allowed = without_overflow(plan);
    const auto arrived_there = arrived(allowed, form.kernel);
    const auto image = arrived_there.clamp(0, 1);
    const auto point = surface.gradient(image, step);
    if (context.observe) context.observe(step, point.loss.mean().item<double>());
    if (form.judge == Judge::best)
      best.update(allowed, image, point, fooled(point.logits, y, false), step);
    if (form.budget.epsilon == 0) continue;
    const auto piled = allowed.is_same(plan) ? arrived_there : arrived(plan, form.kernel);
    const auto gradient = of_unit_height(point.gradient * ((piled >= 0) & (piled <= 1)));
    plan = form.next(ball, plan, gathered(gradient, form.kernel), step);
    plan = within_cost(plan, x, ball.costs, ball.limit);
  }
  plan = without_overflow(plan);
  const auto end = surface.value(image_of(plan), form.steps);
  best.update(plan, image_of(plan), end, fooled(end.logits, y, false), form.steps);
  auto made = best.result();
  if (form.overflow == Overflow::project && form.budget.epsilon > 0)
    made = projected(made, form, ball, y, surface);
  made.plan = made.plan.contiguous();
  made.passes = surface.finish();
  return made;
}

}  // namespace

TransportBall::TransportBall(const at::Tensor& images, double epsilon, int kernel)
    : x(images),
      costs(move_costs(images.size(2), images.size(3), kernel).to(images.device())),
      limit(mass_of(images) * epsilon) {}

void BestPlan::update(const at::Tensor& plan, const at::Tensor& image, const LossAndGradient& point,
                      const at::Tensor& success, int step) {
  best_.update(image, point.loss, success, step);
  const auto now = best_.result().step == step;
  plan_ = plan_.defined() ? at::where(per_sample(now, plan), plan, plan_) : plan;
}

AttackResult BestPlan::result() const {
  auto kept = best_.result();
  kept.plan = plan_;
  return kept;
}

AttackResult climb_plans(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                         const PlanForm& form, const Context& context) {
  validate_budget(form.budget, form.where, {Norm::wasserstein});
  check_batch(model, x, y, form.where);
  check_images(x, form.where);
  const AttackScope scope(model);
  return run_rounds(form.where, x, y, 1, context,
                    [&](const Round& round) { return climb_plan(model, round, form, context); });
}

}  // namespace namid::attacks
