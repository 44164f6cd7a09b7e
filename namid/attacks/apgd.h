// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/attack.h"
#include "namid/attacks/compat.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/projection.h"

namespace namid::attacks {

/// Auto-PGD: projected gradient ascent with momentum and a step size that adapts itself, per
/// sample. L∞, L2: Croce & Hein 2020 (arXiv:2003.01690), Algorithm 1. L1: sparse steps without
/// momentum, Croce & Hein 2021 (arXiv:2103.01208), Sec. 4. Formulas: apgd_steps.h.
struct ApgdOptions {
  Budget budget = {};
  int steps = 100;
  AttackLoss loss = AttackLoss::cross_entropy;
  int restarts = 1;
  int eot = 1;
  double rho = 0.75;
  Automatic<bool> larger_epsilon = {};
  Automatic<L2Order> l2_order = {};
  bool targeted = false;
  Compat compat = Compat::none;
  static constexpr auto fields() {
    return std::tuple{
        field("budget", &ApgdOptions::budget, ""),
        field("steps", &ApgdOptions::steps, "gradient steps", at_least(1)),
        field("loss", &ApgdOptions::loss, "loss that is maximised"),
        field("restarts", &ApgdOptions::restarts,
              "runs from fresh starts, each on what is not fooled yet", at_least(1)),
        field("eot", &ApgdOptions::eot,
              "evaluations averaged at each point, for models that draw random numbers",
              at_least(1)),
        field("rho", &ApgdOptions::rho,
              "the step is halved where at most this share of the steps raised the loss",
              between(0, 1)),
        field("larger_epsilon", &ApgdOptions::larger_epsilon,
              "first climb in balls of 3 and 2 epsilon (L1 only); auto: in L1, from 3 steps on"),
        field("l2_order", &ApgdOptions::l2_order,
              "L2: meet ball or box first; auto: the box, with compat the ball"),
        field("targeted", &ApgdOptions::targeted, "y holds target classes, towards which x moves"),
        field("compat", &ApgdOptions::compat,
              "none, or autoattack: the oddities of the published code too")};
  }
};
NAMID_CHECK_FIELDS(ApgdOptions);

/// Rounds (rounds.h) that the attack takes on a model of that many classes.
constexpr int rounds(const ApgdOptions& options, std::int64_t /*classes*/ = 0) {
  return options.restarts;
}

/// x: float32 (N, *input_shape) in [0,1]; y: int64 (N). Returns points inside ball and box; an
/// epsilon of 0 gives x bit for bit.
/// l2_order: of both projections of a step, and of the start (projection.h); auto: the box first,
/// so that steps keep the full radius where the box cuts.
/// Start: x + ε t / max|t|, t ~ U(−1,1) (L∞); x + ε t / ‖t‖₂, t ~ N(0,1) (L2); the projection of
/// x + N(0,1) (L1). Restart r draws at epoch context.epoch · restarts + r.
/// Larger ε (L1, arXiv:2103.01208, Sec. 4.3): 3ε, 2ε, ε with ⌈0.3 T⌉, ⌈0.3 T⌉ and the remaining
/// steps; each stage climbs from the projected point of the highest loss of the one before. Only
/// the last stage is judged, whose points are in the ball. Judged: the start point and the point
/// after each step. Returned: of the misclassified iterates the one of the highest loss, whose
/// verdict rounding in another batch moves least; without one the iterate of the highest loss. A
/// fooled sample runs on to the end: all rows take equal passes. Targeted: the loss is
/// −loss(logits, target). eot: gradient.h; best point, checkpoints and verdict follow the means.
/// Passes per sample and restart: `steps` + 1 forwards and `steps` backwards, with larger ε `steps`
/// + 3 forwards, each `eot` times; kl: `eot` forwards of x before; compat: one forward of x after.
/// Deviations from the paper, shared with its authors' code: "at most" ρ instead of "less than";
/// the first step from a restored best point is compared with the last point before it. From their
/// code: the first checkpoint compares the first step with the start; no last gradient, which
/// nobody uses; ⌈0.3 T⌉ is at most (T − 1) / 2, so that the last stage has steps. compat =
/// autoattack (AutoAttack of 2023): an l2_order of auto meets the ball first; the first step is
/// compared with 0, the loss of a step not yet made; the last misclassified iterate is returned,
/// and for a failure x itself; with eot, loss and verdict are those of the last draw (gradient.h).
/// With Context::sequential starts are drawn in its order, with larger ε three more tensors that
/// nobody uses. OptionError before the first pass for unfit arguments (dlr needs 3 classes; larger
/// ε needs L1 and 3 steps); NumericError for logits, loss or gradient that are not finite;
/// run::Interrupted.
AttackResult apgd(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                  const ApgdOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks
