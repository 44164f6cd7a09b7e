// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/ddn.h"

#include <cmath>
#include <numbers>

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/draws.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/minimum_norm.h"
#include "namid/attacks/norms.h"
#include "namid/core/error.h"

namespace namid::attacks {
namespace {

constexpr std::string_view kDdn = "ddn";

/// Cosine from 1 to 0.01 over the steps; the schedule is stepped before it is read.
double step_size(int step, int steps) {
  return 0.01 + 0.495 * (1 + std::cos(std::numbers::pi * (step + 1) / steps));
}

at::Tensor quantised(const at::Tensor& image, int levels) {
  return levels == 0 ? image : (image * (levels - 1)).round() / (levels - 1);
}

/// g / ‖g‖₂; a row of zeros is drawn instead.
at::Tensor direction(const at::Tensor& gradient, const Draws& draws, int step) {
  const auto length = sample_norms(gradient, Norm::l2);
  const auto flat = length == 0;
  auto unit = gradient / per_sample(length.masked_fill(flat, 1), gradient).to(at::kFloat);
  if (!flat.any().item<bool>()) return unit;
  return at::where(per_sample(flat, gradient),
                   draws.normal(gradient, static_cast<std::uint32_t>(step)), unit);
}

AttackResult search(const Classifier& model, const Round& round, const DdnOptions& options,
                    const Context& context) {
  LossSurface surface(kDdn, model, round.y,
                      climbed_loss(AttackLoss::cross_entropy, options.targeted), context);
  const Draws draws(context, round.ids, round.epoch);
  const auto& x = round.x;
  auto delta = at::zeros_like(x);
  auto norm = at::full_like(round.y, options.initial_norm, at::kDouble);
  Nearest nearest;
  for (int step = 0; step < options.steps; ++step) {
    if (context.stop) context.stop->check();
    const auto x_adv = x + delta;
    const auto point = surface.gradient(x_adv, step);
    const auto adversarial = fooled(point.logits, round.y, options.targeted);
    if (context.observe) context.observe(step, point.loss.mean().item<double>());
    nearest.update(x_adv, perturbation_norms(x_adv, x, Norm::l2), adversarial,
                   reading_of(point.logits, round.y, options.targeted), step);
    delta.add_(direction(point.gradient, draws, step), step_size(step, options.steps));
    norm.mul_(at::where(adversarial, 1 - options.gamma, 1 + options.gamma));
    const auto scale = norm / sample_norms(delta, Norm::l2).clamp_min(1e-30);
    delta.mul_(per_sample(scale, delta).to(at::kFloat));
    delta = quantised(x + delta, options.levels).clamp(0, 1) - x;
  }
  auto result =
      within_budget(nearest.found(options.steps, context), round, options.budget, options.targeted,
                    [&](const at::Tensor& at) { return surface.logits(at, options.steps); });
  result.passes = surface.finish();
  return result;
}

}  // namespace

AttackResult ddn(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                 const DdnOptions& options, const Context& context) {
  validate(options, kDdn);
  validate_budget(options.budget, kDdn, {Norm::l2});
  if (options.levels == 1)
    throw OptionError("[ddn] levels: expected 0 (not rounded) or at least 2, got 1");
  check_batch(model, x, y, kDdn);
  const AttackScope scope(model);
  return run_rounds(kDdn, x, y, rounds(options), context,
                    [&](const Round& round) { return search(model, round, options, context); });
}

}  // namespace namid::attacks
