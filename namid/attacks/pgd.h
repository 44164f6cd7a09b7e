// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/attack.h"
#include "namid/attacks/losses.h"

namespace namid::attacks {

/// Where an attack starts. uniform: uniform in the ball (L2: uniform in volume, radius U^(1/d)),
/// clipped to [0,1]; gauss: x + 0.001 N(0,1), not clipped (reference code); none: x itself.
enum class Start { uniform, gauss, none };

/// Which iterate is returned. best: any misclassified one beats any correct one, then the highest
/// loss; last: the final point (reference code).
enum class Judge { best, last };

/// Projected gradient descent, Madry et al. 2018 (arXiv:1706.06083), Sec. 2.1:
/// x ← Π(x + α · dir(∇ₓ L)), dir = sign for L∞, g / max(‖g‖₂, 1e-12) for L2.
struct PgdOptions {
  Budget budget = {};
  int steps = 10;
  Automatic<double> step_size = {};
  Start start = Start::uniform;
  Judge judge = Judge::best;
  AttackLoss loss = AttackLoss::cross_entropy;
  int restarts = 1;
  bool targeted = false;
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
        field("restarts", &PgdOptions::restarts, "runs from fresh starts; the best counts",
              at_least(1)),
        field("targeted", &PgdOptions::targeted, "y holds target classes, towards which x moves")};
  }
};
NAMID_CHECK_FIELDS(PgdOptions);

/// x: float32 (N, *input_shape) in [0,1]; y: int64 (N). Returns points inside ball and box; an
/// epsilon of 0 gives x bit for bit. Passes per sample and restart: `steps` backwards and `steps`
/// forwards, one more forward for the final point. OptionError before the first pass for unfit
/// arguments.
AttackResult pgd(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                 const PgdOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks

namespace namid {
template <>
struct EnumNames<attacks::Start> {
  static constexpr std::array kNames{"uniform", "gauss-0.001", "none"};
};
template <>
struct EnumNames<attacks::Judge> {
  static constexpr std::array kNames{"best", "last"};
};
}  // namespace namid
