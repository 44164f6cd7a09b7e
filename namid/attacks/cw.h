// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/attack.h"
#include "namid/attacks/compat.h"

namespace namid::attacks {

/// CW, Carlini & Wagner 2017 (arXiv:1608.04644, carlini2017), Sec. V-A, L2. With w = artanh(s (2x −
/// 1)) and x(δ) = (tanh(w + δ) + 1) / 2, Adam minimises over δ
///   c · max(z_y − max_{j≠y} z_j + κ, 0) + ‖x(δ) − x(0)‖₂²   (targeted: max_{j≠t} z_j − z_t)
/// in each of `searches` binary searches of c, per sample: halved towards the smallest c that
/// succeeded, ten times as large while none has. The first search starts from δ = 0; the others go
/// on where the last ended, or from δ = 0 too (warm_start = false, the paper's).
struct CwOptions {
  Budget budget = {.norm = Norm::l2, .epsilon = 0.5};
  int steps = 20;
  int searches = 9;
  double step_size = 0.01;
  double initial_const = 1e-3;
  double kappa = 0;
  double shrink = 1 - 1e-3;
  bool warm_start = true;
  bool targeted = false;
  Compat compat = Compat::none;
  static constexpr auto fields() {
    using T = CwOptions;
    return std::tuple{
        field("budget", &T::budget, ""),
        field("steps", &T::steps, "Adam steps of each search", at_least(1)),
        field("searches", &T::searches, "binary searches of the constant c", at_least(1)),
        field("step_size", &T::step_size, "learning rate of Adam", above(0)),
        field("initial_const", &T::initial_const, "first constant c", above(0)),
        field("kappa", &T::kappa, "confidence: margin that a success must exceed", at_least(0)),
        field("shrink", &T::shrink,
              "factor s < 1 that keeps pixels of 0 and 1 off the flat ends of tanh",
              between(0.5, 1 - 1e-7)),
        field("warm_start", &T::warm_start,
              "each search goes on where the last ended, so that the steps of all of them move a "
              "pixel; false: each starts at x"),
        field("targeted", &T::targeted, "y holds target classes, towards which x moves"),
        field("compat", &T::compat, "reference: the oddities of the released code")};
  }
};
NAMID_CHECK_FIELDS(CwOptions);

/// One run.
constexpr int rounds(const CwOptions& /*options*/, std::int64_t /*classes*/ = 0) {
  return 1;
}

/// x: float32 (N, *input_shape) in [0,1]; y: int64 (N); norm l2. Of all points visited the nearest
/// one to x whose margin exceeds κ is kept (x itself counts, where it does), then treated as
/// within_budget (minimum_norm.h) says: a large epsilon gives the search without a bound. `step`
/// counts Adam steps over all searches, `loss` is the margin. context.loss and context.gradient
/// replace the first summand, climbed.
///
/// Passes per sample: searches · steps + 1 forwards, one more where the point found had to be moved
/// into the ball, searches · steps backwards.
///
/// Deviations from the paper: s is 1 − 10⁻³, since pixels of exactly 0 or 1 hardly move with 1 −
/// 10⁻⁶; searches go on where the last ended; distances are to x itself, in float64; no search is
/// cut short. compat = reference (advertorch 0.2.3, which the released code of NAMID calls): each
/// search starts at x, whatever warm_start says; distances to x(0); x is no candidate; all searches
/// of the batch end at a tenth of the steps where the batch's objective has not fallen by 10⁻⁶
/// since the last tenth; with ten searches or more the last takes the smallest c that succeeded.
/// Results then depend on the batch.
///
/// OptionError before the first pass for unfit arguments; NumericError; run::Interrupted.
AttackResult cw(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                const CwOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks
