// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/attack.h"
#include "namid/attacks/compat.h"

namespace namid::attacks {

/// DeepFool, Moosavi-Dezfooli et al. 2016 (arXiv:1511.04599, moosavi2016), Algorithm 2: steps over
/// the nearest boundary of the linearised classifier until it is crossed. With f_k = z_k − z_y and
/// w_k = ∇f_k at x_i, q dual to the norm (l2 or linf):
///   l   = argmin_k |f_k| / max(‖w_k‖_q, 1e-6)
///   r_i = (|f_l| / max(‖w_l‖_q, 1e-6) + 1e-4) · (w_l / ‖w_l‖₂ or sign(w_l))
///   x_i+1 = Π(x_i + (1 + overshoot) r_i), Π onto the box, then onto the ball of epsilon
struct DeepFoolOptions {
  Budget budget = {.norm = Norm::l2, .epsilon = 0.5};
  int steps = 50;
  double overshoot = 0.02;
  int candidates = 0;
  int bisections = 10;
  Compat compat = Compat::none;
  static constexpr auto fields() {
    using T = DeepFoolOptions;
    return std::tuple{
        field("budget", &T::budget, ""),
        field("steps", &T::steps, "steps over the nearest linearised boundary", at_least(1)),
        field("overshoot", &T::overshoot, "by which the boundary is overstepped", at_least(0)),
        field("candidates", &T::candidates,
              "most likely classes that are looked at; 0: all of them", at_least(0)),
        field("bisections", &T::bisections,
              "halvings of the way back to x that take the overshoot off; 0: none", at_least(0)),
        field("compat", &T::compat, "foolbox or torchattacks: as those libraries do it")};
  }
};
NAMID_CHECK_FIELDS(DeepFoolOptions);

/// One run.
constexpr int rounds(const DeepFoolOptions& /*options*/, std::int64_t /*classes*/ = 0) {
  return 1;
}

/// x: float32 (N, *input_shape) in [0,1]; y: int64 (N); norm l2 or linf. The first point that is
/// misclassified, moved back towards x by bisection; x where none was found. The search stays in
/// the ball: a large epsilon gives the one without a bound. A sample that is misclassified already
/// is returned as it is. `step` is the number of steps, `loss` the margin.
///
/// Passes per sample and K candidates besides y, of a search of s steps: s + bisections + 1
/// forwards, one more where the point found had to be moved into the ball, K s backwards. A step's
/// gradients come from the forward that judged its point; with context.compact rows that are done
/// leave the batch, and the others are forwarded once more, without them.
///
/// Deviations from the paper: each step starts at the clipped point, where the paper adds up steps
/// that know no box (docs/comparison.md has what this gains), and stays in the ball; the floor 1e-6
/// (a class of zero gradient is never near), 1e-4 added to each distance as all implementations do,
/// and the bisection. compat: the search knows no ball, and what it found is moved inside
/// (within_budget, minimum_norm.h); no bisection. foolbox: x_i+1 = clip(x + (1 + overshoot)
/// Σ_j≤i r_j), candidates 0 are the 9 of the 10 most likely classes of x. torchattacks (l2):
/// nothing is added to the distances. The box is not part of a step, so saturated pixels slow it
/// down; FAB projects with the box.
///
/// OptionError before the first pass for unfit arguments, and where the context has a loss or
/// gradient of its own; NumericError; run::Interrupted.
AttackResult deepfool(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                      const DeepFoolOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks
