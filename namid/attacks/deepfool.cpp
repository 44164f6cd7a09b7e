// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/deepfool.h"

#include <algorithm>
#include <limits>

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/checks.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/logit_gradients.h"
#include "namid/attacks/minimum_norm.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/projection.h"
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

/// DeepFoolRows on their way: which of the round's they are, image, label, candidates, sum of their
/// steps and present point.
struct DeepFoolRows {
  at::Tensor index, x, y, classes, total, x_adv;

  void keep(const at::Tensor& rows) {
    for (auto* each : {&index, &x, &y, &classes, &total, &x_adv})
      *each = each->index_select(0, rows);
  }
};

/// r_i of each row.
at::Tensor step_over(LogitGradients& surface, const LogitGradients::Point& here,
                     const DeepFoolRows& rows, int step, const DeepFoolOptions& options) {
  const auto norm = options.budget.norm;
  const auto& y = rows.y;
  const double margin = options.compat == Compat::torchattacks ? 0 : 1e-4;
  auto distance = at::full({y.size(0)}, kFar, y.options().dtype(at::kDouble));
  auto nearest = at::zeros_like(rows.x_adv);
  surface.differences(here, y, rows.classes, step, [&](const at::Tensor& f, const at::Tensor& w) {
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

/// The next point of each row; by namid's own search one inside the ball.
void advance(DeepFoolRows& rows, const at::Tensor& step, const DeepFoolOptions& options) {
  if (options.compat == Compat::foolbox) {
    rows.total = rows.total + step;
    rows.x_adv = (rows.x + rows.total * (1 + options.overshoot)).clamp(0, 1);
    return;
  }
  rows.x_adv = (rows.x_adv + step * (1 + options.overshoot)).clamp(0, 1);
  if (options.compat == Compat::none) move_inside(rows.x_adv, rows.x, options.budget);
}

/// Nearer to x on the segment from x to x_adv, and still misclassified.
void go_back(LogitGradients& surface, const Round& round, AttackResult& found,
             const DeepFoolOptions& options) {
  const auto far = found.x_adv.clone();
  auto low = at::zeros_like(round.y, at::kDouble), high = at::ones_like(low);
  for (int i = 0; i < options.bisections; ++i) {
    const auto middle = (low + high) / 2;
    const auto point =
        at::lerp(round.x, far, per_sample(middle, far).to(at::kFloat).expand_as(far));
    const auto [crossed, margin] = reading_of(surface.logits(point, options.steps), round.y, false);
    high = at::where(crossed, middle, high);
    low = at::where(crossed, low, middle);
    found.x_adv = at::where(per_sample(crossed, point), point, found.x_adv);
    found.loss = at::where(crossed, margin, found.loss);
  }
}

/// The rows' points that just crossed become what was found.
void keep_crossed(AttackResult& found, const DeepFoolRows& rows, const Reading& reading, int step) {
  const auto now = rows.index.index({reading.fooled});
  found.x_adv.index_copy_(0, now, rows.x_adv.index({reading.fooled}));
  found.loss.index_copy_(0, now, reading.margin.index({reading.fooled}));
  found.step.index_fill_(0, now, step);
  found.success.index_fill_(0, now, true);
}

AttackResult search(const Classifier& model, const Round& round, const DeepFoolOptions& options,
                    const Context& context) {
  LogitGradients surface(kDeepFool, model, context);
  auto here = surface.point(round.x, 0);
  const auto clean = reading_of(here.logits.detach(), round.y, false);
  const auto classes = rival_classes(here.logits.detach(), round.y, options.candidates);
  AttackResult found{.x_adv = round.x.clone(),
                     .success = clean.fooled.clone(),
                     .step = at::zeros_like(round.y),
                     .loss = clean.margin.clone(),
                     .passes = {},
                     .forwards = at::full_like(round.y, 1 + options.bisections),
                     .backwards = at::zeros_like(round.y)};
  DeepFoolRows rows{at::arange(round.y.size(0), round.y.options()),
                    round.x,
                    round.y,
                    classes,
                    at::zeros_like(round.x),
                    round.x};
  for (int step = 0; step < options.steps; ++step) {
    if (context.stop) context.stop->check();
    const auto left = found.success.index_select(0, rows.index).logical_not();
    if (context.compact && !left.all().item<bool>()) {
      rows.keep(left.nonzero().squeeze(1));
      if (rows.index.numel() == 0) break;
      here = {};  // its graph holds the rows that left, too
      here = surface.point(rows.x_adv, step);
    }
    advance(rows, step_over(surface, here, rows, step, options), options);
    here = surface.point(rows.x_adv, step);
    auto reading = reading_of(here.logits.detach(), rows.y, false);
    if (context.observe) context.observe(step, reading.margin.mean().item<double>());
    const auto active = found.success.index_select(0, rows.index).logical_not();
    reading.fooled = reading.fooled & active;
    found.forwards.index_add_(0, rows.index, active.to(at::kLong));
    found.backwards.index_add_(0, rows.index, active.to(at::kLong) * classes.size(1));
    keep_crossed(found, rows, reading, step + 1);
  }
  go_back(surface, round, found, options);
  const auto read = at::ones_like(found.success);
  found = within_budget({found, read, context.compact}, round, options.budget, false,
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
