// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/fmn.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/minimum_norm.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/steps.h"

namespace namid::attacks {
namespace {

constexpr std::string_view kFmn = "fmn";

/// Soft threshold θ of each row with Σ max(|δ_i| − θ, 0) = radius: projection onto the L1 ball.
at::Tensor threshold(const at::Tensor& delta, const at::Tensor& radius) {
  const auto size = delta.to(at::kDouble).abs().flatten(1);
  const auto sorted = std::get<0>(size.sort(1, true));
  const auto excess = sorted.cumsum(1) - radius.unsqueeze(1);
  const auto rank = at::arange(1, size.size(1) + 1, excess.options());
  const auto count = (sorted * rank > excess).sum(1).clamp_min(1);
  const auto theta = excess.gather(1, (count - 1).unsqueeze(1)).squeeze(1) / count;
  return theta.clamp_min(0);
}

/// The ⌊radius⌋-th largest |δ_i| of each row, in δ's own precision: ties all reach it.
at::Tensor smallest_kept(const at::Tensor& delta, const at::Tensor& radius) {
  const auto sorted = std::get<0>(delta.abs().flatten(1).sort(1, true));
  const auto rank = radius.to(at::kLong).clamp(1, sorted.size(1)) - 1;
  return sorted.gather(1, rank.unsqueeze(1)).squeeze(1);
}

/// Π_ε: the nearest perturbation in the ball of each row's own radius, float64 (N); with `onto` in
/// l1 and l2 the ball's surface, so that what lies inside is moved out along itself.
at::Tensor into_ball(const at::Tensor& delta, const at::Tensor& radius, Norm norm, bool onto) {
  const auto rows = [&](const at::Tensor& values) {
    return per_sample(values, delta).to(delta.scalar_type());
  };
  if (norm == Norm::linf) return at::minimum(at::maximum(delta, -rows(radius)), rows(radius));
  if (norm == Norm::l0)
    return delta.masked_fill(delta.abs() < rows(smallest_kept(delta, radius)), 0);
  const auto factor = radius / sample_norms(delta, norm).clamp_min(1e-30);
  if (norm == Norm::l2) return delta * rows(onto ? factor : factor.clamp_max(1));
  const auto theta = at::where(factor < 1, threshold(delta, radius), 0);
  const auto shrunk = delta.sign() * (delta.abs() - rows(theta)).clamp_min(0);
  return onto ? shrunk * rows(factor.clamp_min(1)) : shrunk;
}

/// From `first` to `last` by half a cosine.
double falling(double first, double last, int step, int steps) {
  return last + (first - last) * (1 + std::cos(std::numbers::pi * step / steps)) / 2;
}

/// What each row's radius depends on after a forward.
struct Standing {
  at::Tensor adversarial, found;        ///< bool (N): at this point; at some point
  at::Tensor length, smallest, widest;  ///< float64 (N): ‖δ‖, of the nearest found, of the box
  at::Tensor to_boundary;               ///< float64 (N): of the linearised model; not for l0
};

at::Tensor next_radius(const at::Tensor& radius, const Standing& at, Norm norm, double gamma) {
  if (norm == Norm::l0) {
    const auto fewer = at::minimum((radius * (1 - gamma)).floor(), radius - 1);
    const auto more = at::maximum((radius * (1 + gamma)).floor(), radius + 1);
    const auto next = at::where(at.adversarial, at::minimum(fewer, at.smallest), more);
    return at::minimum(next.clamp_min(1), at.widest);
  }
  const auto next =
      at::where(at.adversarial, at::minimum(radius * (1 - gamma), at.smallest),
                at::where(at.found, radius * (1 + gamma), at.length + at.to_boundary));
  return at::minimum(next, at.widest);
}

AttackResult search(const Classifier& model, const Round& round, const FmnOptions& options,
                    const Context& context) {
  LossSurface surface(kFmn, model, round.y, climbed_loss(AttackLoss::margin, options.targeted),
                      context);
  const auto& x = round.x;
  const auto norm = options.budget.norm;
  const bool as_paper = options.compat == Compat::reference;
  const auto widest = sample_norms(at::maximum(x, 1 - x), norm);
  auto delta = at::zeros_like(x);
  auto radius =
      at::full_like(widest, norm == Norm::l0 ? 1 : std::numeric_limits<double>::infinity());
  auto smallest = widest.clone();
  auto found = at::zeros_like(round.y, at::kBool);
  Nearest nearest;
  for (int step = 0; step < options.steps; ++step) {
    if (context.stop) context.stop->check();
    const double gamma = falling(options.gamma, options.gamma_final, step, options.steps);
    const auto x_adv = x + delta;
    const auto point = surface.gradient(x_adv, step);
    if (context.observe) context.observe(step, point.loss.mean().item<double>());
    const auto adversarial = fooled(point.logits, round.y, options.targeted);
    const auto length = perturbation_norms(x_adv, x, norm);
    nearest.update(x_adv, length, adversarial, reading_of(point.logits, round.y, options.targeted),
                   step);
    smallest = at::where(adversarial, at::minimum(smallest, length), smallest);
    found = found | adversarial;
    const auto height = options.overshoot * point.loss.to(at::kDouble).abs();
    const auto gradient =
        as_paper || norm == Norm::l0 ? point.gradient : inside_box(point.gradient, x_adv);
    const auto slope = [&](Norm q) { return sample_norms(gradient, q).clamp_min(1e-12); };
    Standing standing{adversarial, found, length, smallest, widest, {}};
    if (norm != Norm::l0) standing.to_boundary = height / slope(dual(norm));
    radius = next_radius(radius, standing, norm, gamma);
    const double alpha = falling(options.step_size, options.step_size / 100, step, options.steps);
    auto reach = at::full_like(height, alpha);
    if (norm == Norm::linf && !as_paper)
      reach = at::where(found, reach, (height / slope(Norm::l2)).clamp_min(alpha));
    const auto scale = per_sample(reach / slope(Norm::l2), delta).to(at::kFloat);
    delta = into_ball(delta + gradient * scale, radius, norm, !as_paper);
    delta = (x + delta).clamp(0, 1) - x;
  }
  auto result =
      within_budget(nearest.found(options.steps, context), round, options.budget, options.targeted,
                    [&](const at::Tensor& at) { return surface.logits(at, options.steps); });
  result.passes = surface.finish();
  return result;
}

}  // namespace

AttackResult fmn(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                 const FmnOptions& options, const Context& context) {
  validate(options, kFmn);
  validate_budget(options.budget, kFmn, {Norm::linf, Norm::l2, Norm::l1, Norm::l0});
  check_compat(options.compat, {Compat::reference}, kFmn);
  check_batch(model, x, y, kFmn);
  const AttackScope scope(model);
  return run_rounds(kFmn, x, y, rounds(options), context,
                    [&](const Round& round) { return search(model, round, options, context); });
}

}  // namespace namid::attacks
