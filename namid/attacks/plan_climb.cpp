// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/plan_climb.h"

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/checks.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/norms.h"

namespace namid::attacks {
namespace {

/// G / max|G| per sample; a vanishing one stays.
at::Tensor of_unit_height(const at::Tensor& gradient) {
  const auto height = std::get<0>(gradient.abs().flatten(1).max(1)) + 1e-35;
  return gradient / per_sample(height, gradient);
}

/// Best (best.h) with the plans that belong to the images.
class BestPlan {
 public:
  void update(const at::Tensor& plan, const at::Tensor& image, const LossAndGradient& point,
              const at::Tensor& success, int step) {
    best_.update(image, point.loss, success, step);
    const auto now = best_.result().step == step;
    plan_ = plan_.defined() ? at::where(per_sample(now, plan), plan, plan_) : plan;
  }
  AttackResult result() const { return best_.result(); }
  const at::Tensor& plan() const { return plan_; }

 private:
  Best best_;
  at::Tensor plan_;
};

}  // namespace

TransportResult climb_plans(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                            const PlanForm& form, const Context& context) {
  check_batch(model, x, y, form.where);
  check_images(x, form.where);
  const AttackScope scope(model);
  LossSurface surface(form.where, model, y, climbed_loss(AttackLoss::cross_entropy, false),
                      context);
  const int kernel = form.budget.kernel;
  const auto mass = mass_of(x);
  const TransportBall ball{.x = x,
                           .costs = move_costs(x.size(2), x.size(3), kernel).to(x.device()),
                           .limit = mass * form.budget.epsilon};
  auto plan = plan_of_rest(x, kernel);
  BestPlan best;
  for (int step = 0; step < form.steps; ++step) {
    if (context.stop) context.stop->check();
    const auto image = arrived(plan, kernel);
    const auto clipped = image.clamp(0, 1);
    const auto point = surface.gradient(clipped, step);
    if (context.observe) context.observe(step, point.loss.mean().item<double>());
    if (form.judge == Judge::best)
      best.update(plan, clipped, point, fooled(point.logits, y, false), step);
    const auto gradient = point.gradient * ((image >= 0) & (image <= 1));
    plan = form.next(ball, plan, of_unit_height(gathered(gradient, kernel)), step);
  }
  const auto clipped = arrived(plan, kernel).clamp(0, 1);
  const auto end = surface.value(clipped, form.steps);
  best.update(plan, clipped, end, fooled(end.logits, y, false), form.steps);
  TransportResult made{.result = best.result(), .plan = best.plan(), .cost = {}};
  made.result.passes = surface.finish();
  made.cost = transport_cost(made.plan, ball.costs) / mass.clamp_min(1e-30);
  return made;
}

}  // namespace namid::attacks
