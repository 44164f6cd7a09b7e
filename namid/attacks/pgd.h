// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "namid/attacks/attack.h"
#include "namid/attacks/best.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/projection.h"
#include "namid/attacks/start.h"

namespace namid::attacks {

/// Projected gradient descent, Madry et al. 2018 (arXiv:1706.06083), Sec. 2.1:
/// x ← Π(x + α · dir(∇ₓ L)), dir as in steps.h; in L1 among the entries that the box lets move.
struct PgdOptions {
  Budget budget = {};
  int steps = 10;
  Automatic<double> step_size = {};
  Start start = Start::uniform;
  Judge judge = Judge::best;
  AttackLoss loss = AttackLoss::cross_entropy;
  int restarts = 1;
  int eot = 1;
  bool targeted = false;
  L2Order l2_order = L2Order::ball_first;
  static constexpr auto fields() {
    return std::tuple{
        field("budget", &PgdOptions::budget, ""),
        field("steps", &PgdOptions::steps, "gradient steps", at_least(1)),
        field("step_size", &PgdOptions::step_size, "length of a step; auto: epsilon / 4",
              at_least(0)),
        field("start", &PgdOptions::start,
              "first point: uniform in the ball, x + 0.001 N(0,1), or x"),
        field("judge", &PgdOptions::judge, "return the best iterate seen, or the last"),
        field("loss", &PgdOptions::loss, "loss that is maximised"),
        field("restarts", &PgdOptions::restarts,
              "runs from fresh starts, each on what is not fooled yet", at_least(1)),
        field("eot", &PgdOptions::eot,
              "evaluations averaged at each point, for models that draw random numbers",
              at_least(1)),
        field("targeted", &PgdOptions::targeted, "y holds target classes, towards which x moves"),
        field("l2_order", &PgdOptions::l2_order,
              "L2: meet ball or box first (box-first: released code of NAMID)")};
  }
};
NAMID_CHECK_FIELDS(PgdOptions);

/// Rounds (rounds.h) that the attack takes on a model of that many classes.
constexpr int rounds(const PgdOptions& options, std::int64_t /*classes*/ = 0) {
  return options.restarts;
}

/// x: float32 (N, *input_shape) in [0,1]; y: int64 (N). Returns points inside ball and box; an
/// epsilon of 0 gives x bit for bit. Deviations from the paper: the ball is met before the box (L2:
/// l2_order), and a zero gradient moves nothing.
/// Judged (Judge::best): the start point, unless it is `gauss`, which may lie outside the box; the
/// points after each step; the final point. Judge::last: the final point of each restart. A restart
/// attacks the samples that are not fooled yet; among restarts the best point counts. Targeted: the
/// loss is −loss(logits, target).
/// Passes per sample and restart: `steps` forwards and backwards, and one forward of the final
/// point, each `eot` times (gradient.h); kl: one forward of x before. With Judge::last, one restart
/// and context.verdict = false that forward is left out; success and loss are then undefined
/// tensors. Restart r draws its start at epoch context.epoch · restarts + r. context.observe gets
/// r * steps + step and the mean loss before that step, both from 0. OptionError before the first
/// pass for unfit arguments; NumericError for logits, loss or gradient that are not finite;
/// run::Interrupted.
AttackResult pgd(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                 const PgdOptions& options = {}, const Context& context = {});

/// `pgd` for an attack that is one of its forms and has the `name` in messages.
AttackResult pgd_named(std::string_view name, const Classifier& model, const at::Tensor& x,
                       const at::Tensor& y, const PgdOptions& options, const Context& context);

}  // namespace namid::attacks
