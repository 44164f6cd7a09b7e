// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/momentum.h"

#include "namid/attacks/gradient.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/projection.h"
#include "namid/attacks/steps.h"

namespace namid::attacks {
namespace {

/// g / mean|g| per sample; in float64, where no gradient that float32 holds is too small. foolbox:
/// as the step itself, sign(g) or g / ‖g‖₂.
at::Tensor normalized(const at::Tensor& gradient, Norm norm, Compat compat) {
  if (compat == Compat::foolbox) return ascent(gradient, norm);
  auto mean = gradient.to(at::kDouble).abs().flatten(1).mean(1);
  if (compat != Compat::torchattacks) mean.masked_fill_(mean == 0, 1);
  const auto scale = per_sample(mean, gradient);
  return (gradient.to(at::kDouble) / scale).to(gradient.scalar_type());
}

/// The point whose image is attacked: x_adv, or with through_box one that only the ball bounds.
class Walker {
 public:
  Walker(const at::Tensor& x, const MomentumForm& form)
      : x_(x), form_(form), project_(x, form.budget), free_(x.clone()) {}

  at::Tensor image() const { return form_.through_box ? free_.clamp(0, 1) : free_; }

  at::Tensor through(const at::Tensor& gradient) const {
    return form_.through_box ? gradient * ((free_ >= 0) & (free_ <= 1)) : gradient;
  }

  void step(const at::Tensor& direction, double length) {
    free_ = free_ + direction * length;
    if (!form_.through_box) return project_(free_);
    const double epsilon = form_.budget.epsilon;
    free_ = x_ + (free_ - x_).clamp(-epsilon, epsilon);
  }

  at::Tensor end() const {
    auto x_adv = image().clone();
    project_(x_adv);
    return x_adv;
  }

 private:
  at::Tensor x_;
  const MomentumForm& form_;
  Projection project_;
  at::Tensor free_;
};

}  // namespace

AttackResult climb_with_momentum(const Classifier& model, const Round& round,
                                 const MomentumForm& form, const Context& context) {
  const auto& momentum = form.momentum;
  const auto norm = form.budget.norm;
  const double step_size = momentum.step_size.value_or(form.budget.epsilon / 4);
  const auto loss = climbed_loss(AttackLoss::cross_entropy, momentum.targeted);
  int step = 0;
  const Classifier seen(
      [&](const at::Tensor& image) {
        return form.logits ? form.logits(image, step) : model(image);
      },
      model.info());
  LossSurface surface(form.where, seen, round.y, loss, context);
  LossSurface plain(form.where, model, round.y, loss, context);
  Walker walker(round.x, form);
  auto v = at::zeros_like(round.x);
  Best best;
  for (; step < momentum.steps; ++step) {
    if (context.stop) context.stop->check();
    const auto x_adv = walker.image();
    const auto point =
        surface.gradient(form.nesterov ? x_adv + v * (step_size * momentum.decay) : x_adv, step);
    if (context.observe) context.observe(step, point.loss.mean().item<double>());
    if (form.judge == Judge::best)
      best.update(x_adv, point.loss, fooled(point.logits, round.y, momentum.targeted), step);
    auto gradient = walker.through(point.gradient);
    if (form.smoothed) gradient = form.smoothed(gradient);
    v = v * momentum.decay + normalized(gradient, norm, form.compat);
    walker.step(ascent(v, norm), step_size);
  }
  const auto x_adv = walker.end();
  const auto end = plain.value(x_adv, step);
  best.update(x_adv, end.loss, fooled(end.logits, round.y, momentum.targeted), step);
  auto result = best.result();
  const auto before = surface.finish(), last = plain.finish();
  result.passes = {.forwards = before.forwards + last.forwards,
                   .backwards = before.backwards + last.backwards};
  return result;
}

AttackResult with_passes(AttackResult result, const Passes& before, const Context& context) {
  for (auto* counted : {&result.passes, context.passes}) {
    if (counted == nullptr) continue;
    counted->forwards += before.forwards;
    counted->backwards += before.backwards;
  }
  return result;
}

}  // namespace namid::attacks
