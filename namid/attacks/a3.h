// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "namid/attacks/attack.h"
#include "namid/attacks/draws.h"

namespace namid::attacks {

/// What the start of a round does to the logits of the label and of the target: ω_y is drawn from
/// (−0.1, 0.5) where it raises the label's, from (−0.5, 0.1) where it lowers it; ω_t is ±0.8; both
/// times C / 10.
enum class A3Direction { raise_both, raise_label, lower_both, lower_label };

/// A3, adaptive auto attack, Liu et al. 2022 (arXiv:2203.05154, liu2022): rounds that start where a
/// random direction ω of the logits (C) leads, and climb the margin from there:
///   x_0 uniform in the ball;  start_steps times  x ← Π(x + ε dir(∇⟨ω, z(x)⟩))
///   x ← Π(x + α_t dir(∇ max_{j≠y} z_j − z_y)),  t = 0 .. n − 1
///   α_t = s + (ε − s) (1 + cos(π t / (n + 1))) / 2,  s = 0.1 ε where n ≤ 10, else 0.001 ε
/// dir as in steps.h. Round 0 starts at x_0, round 1 has ω uniform in (−1, 1)^C; then ω_y and ω_t
/// are as `direction` says, t being the rival that a3_rank names. The first point that fools ends a
/// sample. Which rounds attack which samples, and what `direction` is learned from, is the
/// protocol's (eval/discarding.h, suite "a3").
struct A3Options {
  Budget budget = {};
  int restarts = 68;
  Automatic<int> steps = {};
  int start_steps = 7;
  A3Direction direction = A3Direction::lower_label;
  static constexpr auto fields() {
    using T = A3Options;
    return std::tuple{
        field("budget", &T::budget, ""),
        field("restarts", &T::restarts,
              "rounds, each on what is not fooled yet; 68: the whole schedule", at_least(1)),
        field("steps", &T::steps,
              "steps on the margin in a round; auto: the schedule's, 8 to 60, and start_steps",
              at_least(1)),
        field("start_steps", &T::start_steps,
              "steps of length epsilon along a direction of the logits before, but in round 0",
              at_least(0)),
        field("direction", &T::direction,
              "what the starts do to the logits of label and target; suite a3 learns it from what "
              "random directions broke")};
  }
};
NAMID_CHECK_FIELDS(A3Options);

constexpr int rounds(const A3Options& options, std::int64_t /*classes*/ = 0) {
  return options.restarts;
}

/// A row of the paper's schedule: steps on the margin (without start_steps), share of the survivors
/// that is attacked, and whether ω_y is drawn from (−0.8, 0.1) and ω_t positive (last rows).
struct A3Row {
  int steps;
  double share;
  bool last;
};
/// The row of a round: 10 rows once, two 4 times, the last for all the others (50 times).
A3Row a3_row(int round);

/// α_t / ε.
double a3_step(int t, int steps);

/// Which rival of y, from the likeliest (0), the starts of a round ≥ 2 move the logits to: (round −
/// 2) mod M, M = 9 rivals for up to 10 classes (4 in the last rows), 14 up to 100, 20 beyond; at
/// most C − 1.
std::int64_t a3_rank(int round, std::int64_t classes);

/// ω of round 1 (N, C): uniform in (−1, 1), each row drawn by its sample's id.
at::Tensor a3_random_direction(const Draws& draws, const at::Tensor& y, std::int64_t classes);

/// What the successes of round 1 teach: with W = Σ ω at the class reached and V = Σ ω_y over them,
/// the label is raised where V > 0, the target where W ≥ 0; from 100 classes on lower_label always.
A3Direction a3_direction(double reached, double label, std::int64_t classes);
/// The same from round 1's successes themselves: ids, labels and classes reached (N).
A3Direction a3_direction(const Random& random, const SampleIds& ids, const at::Tensor& y,
                         const at::Tensor& reached, std::int64_t classes);

/// x: float32 (N, *input_shape) in [0,1]; y: int64 (N). The first point that fools, else that of
/// the highest margin, x_0 among them. Passes per sample and round: a forward and a backward for
/// each step until the sample is fooled, a forward of the last point, and from round 2 on one of x.
/// Deviations from the published code: draws belong to the sample, also those of ω_y (one a batch
/// there); rivals are ranked at x, by a full sort (at a corner of the ball there, by a partial sort
/// that is only right for a batch of everything); no round is cut short by a budget of passes (a
/// formula that binds after it was overspent); L2 starts are uniform in the ball, not in the box
/// around it; the second schedule, for models whose starts alone break 5 %, and ten more rounds
/// where less than a tenth survives, are left out. OptionError before the first pass for unfit
/// arguments; NumericError; run::Interrupted.
AttackResult a3(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                const A3Options& options = {}, const Context& context = {});

}  // namespace namid::attacks

namespace namid {
template <>
struct EnumNames<attacks::A3Direction> {
  static constexpr std::array kNames{"raise-both", "raise-label", "lower-both", "lower-label"};
};
}  // namespace namid
