// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/a3.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/projection.h"
#include "namid/attacks/rivals.h"
#include "namid/attacks/rounds.h"
#include "namid/attacks/start.h"
#include "namid/attacks/steps.h"

namespace namid::attacks {
namespace {

constexpr std::string_view kA3 = "a3";
constexpr int kSingleRows = 10;                           // the first rows are one round each
constexpr std::uint32_t kDirection = 1, kLabelEntry = 2;  // iterations of draws; 0: x_0
constexpr std::uint32_t kRandomRound = 1;                 // its directions are purely random
constexpr double kTargetEntry = 0.8;

constexpr std::array<A3Row, 13> kRows{{{8, 1, false},
                                       {8, 1, false},
                                       {8, 1, false},
                                       {25, 0.7, false},
                                       {30, 0.6, false},
                                       {30, 0.5, false},
                                       {35, 0.4, false},
                                       {40, 0.3, false},
                                       {45, 0.2, false},
                                       {50, 0.1, false},
                                       {50, 0.1, false},
                                       {55, 0.065, false},
                                       {60, 0.03, true}}};

/// Where ω_y is drawn from, and the sign of ω_t.
struct Shift {
  double low, high, sign;
};

Shift shift_of(A3Direction direction, bool last) {
  if (last) return {-0.8, 0.1, 1};
  switch (direction) {
    case A3Direction::raise_both:
      return {-0.1, 0.5, 1};
    case A3Direction::raise_label:
      return {-0.1, 0.5, -1};
    case A3Direction::lower_both:
      return {-0.5, 0.1, -1};
    case A3Direction::lower_label:
      break;
  }
  return {-0.5, 0.1, 1};
}

/// ω of a round ≥ 1. `rivals`: (N, M), from the likeliest; undefined in round 1.
at::Tensor direction_of(const Round& round, const Draws& draws, const at::Tensor& rivals,
                        std::int64_t classes, A3Direction direction) {
  const auto random = a3_random_direction(draws, round.y, classes);
  if (round.index == static_cast<int>(kRandomRound)) return random;
  const auto [low, high, sign] = shift_of(direction, a3_row(round.index).last);
  const double scale = static_cast<double>(classes) / 10;
  const auto uniform = draws.uniform(random.select(1, 0), kLabelEntry);
  const auto target = rivals.select(1, a3_rank(round.index, classes)).unsqueeze(1);
  return random
      .scatter(1, round.y.unsqueeze(1), (uniform * (high - low) + low).mul(scale).unsqueeze(1))
      .scatter(1, target, sign * scale * kTargetEntry);
}

/// The first point that fools a sample, until then that of the highest margin.
class FirstFooled {
 public:
  void update(const at::Tensor& x_adv, const at::Tensor& margin, const at::Tensor& wins,
              std::int64_t step) {
    if (!kept_.x_adv.defined()) {
      kept_ = {.x_adv = x_adv.clone(),
               .success = wins,
               .step = at::full_like(wins, step, at::kLong),
               .loss = margin,
               .passes = {}};
      return;
    }
    const auto better = kept_.success.logical_not() & (wins | (margin > kept_.loss));
    kept_.x_adv = at::where(per_sample(better, x_adv), x_adv, kept_.x_adv);
    kept_.loss = at::where(better, margin, kept_.loss);
    kept_.step = kept_.step.masked_fill(better, step);
    kept_.success = kept_.success | wins;
  }
  bool all() const { return kept_.success.defined() && kept_.success.all().item<bool>(); }
  AttackResult result() const { return kept_; }

 private:
  AttackResult kept_;
};

AttackResult climb(const Classifier& model, const Round& round, const A3Options& options,
                   const Context& context) {
  const auto classes = model.info().num_classes;
  const auto margin = climbed_loss(AttackLoss::margin, false);
  LossSurface surface(kA3, model, round.y, margin, context);
  const auto& budget = options.budget;
  const Projection project(round.x, budget);
  const Draws draws(context, round.ids, round.epoch);
  const int starts = round.index == 0 ? 0 : options.start_steps;
  const int steps = options.steps.value_or(a3_row(round.index).steps + starts);
  const bool ranked = round.index > static_cast<int>(kRandomRound);

  auto x_adv = start_point(round.x, Start::uniform, budget, draws);
  const auto rivals = ranked ? rival_classes(surface.logits(round.x, 0), round.y) : at::Tensor();
  if (starts > 0) {
    const auto omega = direction_of(round, draws, rivals, classes, options.direction);
    surface.climb([=](const at::Tensor&, const at::Tensor& logits, const at::Tensor&) {
      return (logits * omega).sum(1);
    });
  }
  FirstFooled found;
  const auto judge = [&](const LossAndGradient& point, int step) {
    const auto loss = context.loss ? point.loss : margin(x_adv, point.logits, round.y);
    found.update(x_adv, loss, fooled(point.logits, round.y, false), step);
    if (context.observe) context.observe(step, loss.mean().item<double>());
  };
  for (int step = 0; step < starts + steps; ++step) {
    if (context.stop) context.stop->check();
    if (step == starts) surface.climb(margin);
    const auto point = surface.gradient(x_adv, step);
    judge(point, step);
    if (context.compact && found.all()) break;
    const double length = step < starts ? 1 : a3_step(step - starts, steps);
    x_adv.add_(ascent(point.gradient, budget.norm), budget.epsilon * length);
    project(x_adv);
  }
  if (!(context.compact && found.all()))
    judge(surface.value(x_adv, starts + steps), starts + steps);
  auto result = found.result();
  const auto last = at::where(result.success, result.step, starts + steps);
  result.forwards = last + (ranked ? 2 : 1);
  result.backwards = (last + 1).clamp_max(starts + steps);
  result.passes = surface.finish();
  return result;
}

}  // namespace

A3Row a3_row(int round) {
  const int late = round - kSingleRows;  // rows 10 and 11 are four rounds each
  const int index = late < 0 ? round : kSingleRows + late / 4;
  return kRows[static_cast<std::size_t>(std::min<int>(index, kRows.size() - 1))];
}

double a3_step(int t, int steps) {
  const double least = steps <= 10 ? 0.1 : 0.001;
  return least + (1 - least) * (1 + std::cos(std::numbers::pi * t / (steps + 1))) / 2;
}

std::int64_t a3_rank(int round, std::int64_t classes) {
  const std::int64_t few = a3_row(round).last ? 4 : 9;
  const std::int64_t ranks = classes <= 10 ? few : classes <= 100 ? 14 : 20;
  return (round - 2) % std::min(ranks, classes - 1);
}

at::Tensor a3_random_direction(const Draws& draws, const at::Tensor& y, std::int64_t classes) {
  const auto like = at::empty({y.size(0), classes}, y.options().dtype(at::kFloat));
  return draws.uniform(like, kDirection).mul_(2).sub_(1);
}

A3Direction a3_direction(double reached, double label, std::int64_t classes) {
  if (classes >= 100) return A3Direction::lower_label;
  if (label > 0) return reached < 0 ? A3Direction::raise_label : A3Direction::raise_both;
  return reached < 0 ? A3Direction::lower_both : A3Direction::lower_label;
}

A3Direction a3_direction(const Random& random, const SampleIds& ids, const at::Tensor& y,
                         const at::Tensor& reached, std::int64_t classes) {
  if (ids.empty()) return a3_direction(0, 0, classes);
  const Context context{.random = random};
  const auto omega =
      a3_random_direction(Draws(context, ids, kRandomRound), y, classes).to(at::kDouble);
  const auto at = [&](const at::Tensor& label) {
    return omega.gather(1, label.unsqueeze(1)).sum().item<double>();
  };
  return a3_direction(at(reached), at(y), classes);
}

AttackResult a3(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                const A3Options& options, const Context& context) {
  validate(options, kA3);
  validate_budget(options.budget, kA3, {Norm::linf, Norm::l2});
  check_batch(model, x, y, kA3);
  const AttackScope scope(model);
  return run_rounds(kA3, x, y, rounds(options), context,
                    [&](const Round& round) { return climb(model, round, options, context); });
}

}  // namespace namid::attacks
