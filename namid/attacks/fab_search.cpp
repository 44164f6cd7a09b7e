// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/fab_search.h"

#include <limits>

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/best.h"
#include "namid/attacks/draws.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/hyperplane.h"
#include "namid/attacks/logit_gradients.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/minimum_norm.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/rivals.h"
#include "namid/attacks/rounds.h"

namespace namid::attacks {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Rows that are searched: image, label, current point, classes to cross into, misclassified
/// already.
struct Rows {
  at::Tensor x, y, u, classes, wrong;

  Rows at(const at::Tensor& rows) const {
    const auto pick = [&](const at::Tensor& all) { return all.index_select(0, rows); };
    return {pick(x), pick(y), pick(u), pick(classes), pick(wrong)};
  }
};

/// The classes besides y from the most to the least likely; in a targeted round one of them.
at::Tensor rivals(const at::Tensor& logits, const at::Tensor& y, const FabSearch& search,
                  int round) {
  const auto ranked = rival_classes(logits, y);
  if (search.targets == 0) return ranked;
  return ranked.narrow(1, round / search.options.restarts, 1);
}

/// x, or clip(x + radius · t / ‖t‖) for a restart. radius: float64 (N).
at::Tensor start(const Round& round, const at::Tensor& radius, Norm norm, const Context& context) {
  if (!radius.defined()) return round.x;
  const Draws draws(context, round.ids, round.epoch);
  const auto t = norm == Norm::linf ? draws.uniform(round.x) * 2 - 1 : draws.normal(round.x);
  const auto scale = radius / sample_norms(t, norm).clamp_min(1e-12);
  return (round.x + t * per_sample(scale, t).to(t.scalar_type())).clamp(0, 1);
}

/// Of the boundaries between y and each of the classes, linearised at u, the nearest one.
Hyperplane nearest_boundary(LogitGradients& surface, const Rows& rows, int step,
                            const FabOptions& options) {
  const auto& u = rows.u;
  const auto norm = options.budget.norm;
  const bool as_reference = options.compat == Compat::autoattack;
  auto distance = at::full({u.size(0)}, kInfinity, u.options().dtype(at::kDouble));
  Hyperplane nearest{at::zeros_like(u), at::zeros_like(distance)};
  surface.differences(
      surface.point(u, step), rows.y, rows.classes, step,
      [&](const at::Tensor& value, const at::Tensor& w) {
        const auto steepness = sample_norms(w, dual(norm));
        const auto away = as_reference
                              ? value.abs() / (steepness + 1e-12)
                              : at::where(steepness > 0, value.abs() / steepness, kInfinity);
        const auto nearer = away < distance;
        const auto b = (w.to(at::kDouble) * u).flatten(1).sum(1) - value;
        distance = at::where(nearer, away, distance);
        nearest = {at::where(per_sample(nearer, u), w, nearest.w), at::where(nearer, b, nearest.b)};
      });
  if (as_reference && norm != Norm::linf) nearest.w.masked_fill_(nearest.w.abs() < 1e-8, 0);
  return nearest;
}

/// (1 − α)(u + η d_u) + α (x + η d_x), clipped to the box.
at::Tensor step_over(const Rows& rows, const Hyperplane& boundary, const FabOptions& options) {
  const auto &x = rows.x, &u = rows.u;
  const auto norm = options.budget.norm;
  const auto from_u = hyperplane_projection(u, boundary, norm);
  const auto from_x = hyperplane_projection(x, boundary, norm);
  const auto length_u = sample_norms(from_u, norm).clamp_min(1e-8);
  const auto length_x = sample_norms(from_x, norm).clamp_min(1e-8);
  const auto alpha = per_sample((length_u / (length_u + length_x)).clamp_max(options.alpha_max), u);
  return ((u + from_u * options.eta) * (1 - alpha) + (x + from_x * options.eta) * alpha)
      .clamp(0, 1)
      .to(x.scalar_type());
}

/// The nearest misclassified points; their loss is −‖x_adv − x‖ in float64.
AttackResult descend(LogitGradients& surface, Rows rows, int round, const FabOptions& options,
                     const Context& context) {
  const auto &x = rows.x, &y = rows.y;
  auto& u = rows.u;
  Best best;
  best.update(x, at::zeros_like(y, at::kDouble), rows.wrong, 0);
  for (int step = 0; step < options.steps; ++step) {
    u = step_over(rows, nearest_boundary(surface, rows, step, options), options);
    const auto logits = surface.logits(u, step);
    if (context.observe)
      context.observe(round * options.steps + step,
                      attack_loss(AttackLoss::margin, logits, y).mean().item<double>());
    const auto crossed = fooled(logits, y, false);
    best.update(u, -perturbation_norms(u, x, options.budget.norm), crossed, step + 1);
    u = at::where(per_sample(crossed, u), x + (u - x) * options.beta, u);
  }
  return best.result();
}

AttackResult search_round(LogitGradients& surface, const Round& round, const at::Tensor& radius,
                          const FabSearch& search, const Context& context) {
  const auto& options = search.options;
  const auto clean = surface.logits(round.x, 0);
  const auto wrong = fooled(clean, round.y, false), right = wrong.logical_not();
  const Rows all{round.x, round.y, start(round, radius, options.budget.norm, context),
                 rivals(clean, round.y, search, round.index), wrong};
  const auto steps = right.to(at::kLong) * options.steps;
  AttackResult found{.x_adv = round.x.clone(),
                     .success = wrong.clone(),
                     .step = at::zeros_like(round.y),
                     .loss = at::zeros_like(round.y, at::kDouble),
                     .passes = {},
                     .round = at::full_like(round.y, round.index),
                     .forwards = 1 + 2 * steps,
                     .backwards = all.classes.size(1) * steps};
  const auto rows =
      context.compact ? right.nonzero().squeeze(1) : at::arange(round.y.size(0), round.y.options());
  if (rows.numel() == 0) return found;
  const auto part = descend(surface, all.at(rows), round.index, options, context);
  found.x_adv.index_copy_(0, rows, part.x_adv);
  found.success.index_copy_(0, rows, part.success);
  found.step.index_copy_(0, rows, part.step);
  found.loss.index_copy_(0, rows, part.loss);
  return found;
}

/// What was found for x, in the ball and judged there.
AttackResult inside_ball(AttackResult found, const Round& round, const FabOptions& options,
                         LogitGradients& surface) {
  const auto& [norm, epsilon] = options.budget;
  if (options.compat == Compat::autoattack) {
    const auto inside = perturbation_norms(found.x_adv, round.x, norm) <= epsilon;
    found.x_adv = at::where(per_sample(inside, round.x), found.x_adv, round.x);
  }
  return within_budget(
      {.at = std::move(found)}, round, options.budget, false,
      [&](const at::Tensor& x_adv) { return surface.logits(x_adv, options.steps); });
}

/// A round of fab_within.
AttackResult bounded_round(const Classifier& model, const Round& round, const FabSearch& search,
                           const Context& context) {
  const auto& [where, options, targets] = search;
  LogitGradients surface(where, model, context);
  const bool restarted = round.index % options.restarts > 0;
  const auto radius = at::full_like(round.y, options.budget.epsilon / 2, at::kDouble);
  auto result = search_round(surface, round, restarted ? radius : at::Tensor(), search, context);
  result = inside_ball(std::move(result), round, options, surface);
  result.passes = surface.finish();
  return result;
}

/// A round of fab_smallest, after `best`; the first round has none.
AttackResult unbounded_round(const Classifier& model, const Round& round, const FabSearch& search,
                             const AttackResult& best, const Context& context) {
  LogitGradients surface(search.where, model, context);
  at::Tensor radius;
  if (round.index % search.options.restarts > 0) {
    radius = at::full_like(round.y, search.options.budget.epsilon / 2, at::kDouble);
    if (best.success.defined())
      radius = at::where(best.success, at::minimum(radius, best.loss / -2), radius);
  }
  auto result = search_round(surface, round, radius, search, context);
  result.passes = surface.finish();
  return result;
}

void keep_smaller(AttackResult& best, const AttackResult& late) {
  const auto smaller = late.success & (best.success.logical_not() | (late.loss > best.loss));
  best.x_adv = at::where(per_sample(smaller, best.x_adv), late.x_adv, best.x_adv);
  best.step = at::where(smaller, late.step, best.step);
  best.loss = at::where(smaller, late.loss, best.loss);
  best.round = at::where(smaller, late.round, best.round);
  best.success.logical_or_(late.success);
  best.forwards.add_(late.forwards);
  best.backwards.add_(late.backwards);
  best.passes.forwards += late.passes.forwards;
  best.passes.backwards += late.passes.backwards;
}

int round_count(const FabSearch& search) {
  return std::max(search.targets, 1) * search.options.restarts;
}

void check(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
           const FabSearch& search) {
  validate(search.options, search.where);
  validate_budget(search.options.budget, search.where);
  check_compat(search.options.compat, {Compat::autoattack}, search.where);
  check_batch(model, x, y, search.where);
}

}  // namespace

AttackResult fab_smallest(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                          const FabSearch& search, const Context& context) {
  check(model, x, y, search);
  const AttackScope scope(model);
  const int count = round_count(search);
  Context one = context;
  AttackResult best;
  int index = context.round.value_or(0);
  do {
    one.round = index;  // every round on every row
    const auto late = run_rounds(search.where, x, y, count, one, [&](const Round& round) {
      return unbounded_round(model, round, search, best, one);
    });
    if (best.success.defined()) {
      keep_smaller(best, late);
    } else {
      best = late;
    }
  } while (!context.round && ++index < count);
  best.loss = best.loss.to(at::kFloat);
  return best;
}

AttackResult fab_within(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                        const FabSearch& search, const Context& context) {
  check(model, x, y, search);
  const AttackScope scope(model);
  if (!search.options.smallest || context.round)
    return run_rounds(search.where, x, y, round_count(search), context, [&](const Round& round) {
      return bounded_round(model, round, search, context);
    });
  auto result = fab_smallest(model, x, y, search, context);
  LogitGradients surface(search.where, model, context);
  result = inside_ball(std::move(result), {.x = x, .y = y, .ids = {}}, search.options, surface);
  result.passes.forwards += surface.finish().forwards;
  return result;
}

}  // namespace namid::attacks
