// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/deepfool.h"

#include <algorithm>
#include <limits>

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/checks.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/logit_gradients.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/minimum_norm.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/rivals.h"

namespace namid::attacks {
namespace {

constexpr std::string_view kDeepFool = "deepfool";
constexpr double kFar = std::numeric_limits<double>::infinity();
constexpr double kFloor = 1e-6;
constexpr std::int64_t kFoolboxCandidates = 10;

/// The options with those that a library fixes put in place.
DeepFoolOptions as_library(DeepFoolOptions options) {
  if (options.compat != Compat::none) options.bisections = 0;
  if (options.compat == Compat::foolbox && options.candidates == 0)
    options.candidates = kFoolboxCandidates - 1;
  return options;
}

/// r_i of each row.
at::Tensor step_over(LogitGradients& surface, const at::Tensor& x_adv, const at::Tensor& y,
                     const at::Tensor& classes, int step, const DeepFoolOptions& options) {
  const auto norm = options.budget.norm;
  const double margin = options.compat == Compat::torchattacks ? 0 : 1e-4;
  auto distance = at::full({y.size(0)}, kFar, y.options().dtype(at::kDouble));
  auto nearest = at::zeros_like(x_adv);
  surface.differences(x_adv, y, classes, step, [&](const at::Tensor& f, const at::Tensor& w) {
    const auto away = f.to(at::kDouble).abs() / sample_norms(w, dual(norm)).clamp_min(kFloor);
    const auto nearer = away < distance;
    const auto unit =
        norm == Norm::linf
            ? w.sign()
            : w / per_sample(sample_norms(w, Norm::l2).clamp_min(kFloor), w).to(at::kFloat);
    distance = at::where(nearer, away, distance);
    nearest = at::where(per_sample(nearer, w), unit, nearest);
  });
  return nearest * per_sample(distance + margin, nearest).to(at::kFloat);
}

/// DeepFoolRows on their way: which of the round's they are, image, label, candidates, sum of their
/// steps and present point.
struct DeepFoolRows {
  at::Tensor index, x, y, classes, total, x_adv;

  void keep(const at::Tensor& rows) {
    for (auto* each : {&index, &x, &y, &classes, &total, &x_adv})
      *each = each->index_select(0, rows);
  }
};

void advance(DeepFoolRows& rows, const at::Tensor& step, const DeepFoolOptions& options) {
  if (options.compat == Compat::foolbox) {
    rows.total = rows.total + step;
    rows.x_adv = (rows.x + rows.total * (1 + options.overshoot)).clamp(0, 1);
    return;
  }
  rows.x_adv = (rows.x_adv + step * (1 + options.overshoot)).clamp(0, 1);
}

/// Nearer to x on the segment from x to x_adv, and still misclassified.
at::Tensor way_back(LogitGradients& surface, const Round& round, const at::Tensor& x_adv,
                    const DeepFoolOptions& options) {
  auto low = at::zeros_like(round.y, at::kDouble), high = at::ones_like(low);
  auto kept = x_adv;
  for (int i = 0; i < options.bisections; ++i) {
    const auto middle = (low + high) / 2;
    const auto point =
        at::lerp(round.x, x_adv, per_sample(middle, x_adv).to(at::kFloat).expand_as(x_adv));
    const auto crossed = fooled(surface.logits(point, options.steps), round.y, false);
    high = at::where(crossed, middle, high);
    low = at::where(crossed, low, middle);
    kept = at::where(per_sample(crossed, point), point, kept);
  }
  return kept;
}

AttackResult search(const Classifier& model, const Round& round, const DeepFoolOptions& options,
                    const Context& context) {
  LogitGradients surface(kDeepFool, model, context);
  const auto clean = surface.logits(round.x, 0);
  const auto classes = rival_classes(clean, round.y, options.candidates);
  auto done = fooled(clean, round.y, false);
  AttackResult found{.x_adv = round.x.clone(),
                     .success = {},
                     .step = at::zeros_like(round.y),
                     .loss = {},
                     .passes = {},
                     .forwards = at::full_like(round.y, 2 + options.bisections),
                     .backwards = at::zeros_like(round.y)};
  DeepFoolRows rows{at::arange(round.y.size(0), round.y.options()),
                    round.x,
                    round.y,
                    classes,
                    at::zeros_like(round.x),
                    round.x};
  for (int step = 0; step < options.steps; ++step) {
    if (context.stop) context.stop->check();
    if (context.compact) {
      const auto left = done.index_select(0, rows.index).logical_not().nonzero().squeeze(1);
      if (left.numel() == 0) break;
      rows.keep(left);
    }
    advance(rows, step_over(surface, rows.x_adv, rows.y, rows.classes, step, options), options);
    const auto logits = surface.logits(rows.x_adv, step);
    const auto margin = attack_loss(AttackLoss::margin, logits, rows.y);
    if (context.observe) context.observe(step, margin.mean().item<double>());
    const auto active = done.index_select(0, rows.index).logical_not();
    const auto crossed = fooled(logits, rows.y, false) & active;
    const auto now = rows.index.index({crossed});
    found.x_adv.index_copy_(0, now, rows.x_adv.index({crossed}));
    found.step.index_fill_(0, now, step + 1);
    found.forwards.index_add_(0, rows.index, active.to(at::kLong) * 2);
    found.backwards.index_add_(0, rows.index, active.to(at::kLong) * classes.size(1));
    done.index_fill_(0, now, true);
  }
  found.x_adv = way_back(surface, round, found.x_adv, options);
  found = within_budget(found, round, options.budget, false,
                        [&](const at::Tensor& at) { return surface.logits(at, options.steps); });
  found.passes = surface.finish();
  return found;
}

}  // namespace

AttackResult deepfool(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                      const DeepFoolOptions& options, const Context& context) {
  validate(options, kDeepFool);
  validate_budget(options.budget, kDeepFool, {Norm::l2, Norm::linf});
  check_compat(options.compat, {Compat::foolbox, Compat::torchattacks}, kDeepFool);
  if (options.compat == Compat::torchattacks)
    check_norm(options.budget.norm, {Norm::l2}, "deepfool, torchattacks");
  check_batch(model, x, y, kDeepFool);
  const AttackScope scope(model);
  return run_rounds(kDeepFool, x, y, rounds(options), context, [&](const Round& round) {
    return search(model, round, as_library(options), context);
  });
}

}  // namespace namid::attacks
