// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/attack.h"
#include "namid/attacks/compat.h"

namespace namid::attacks {

/// FAB, fast adaptive boundary attack, untargeted: Croce & Hein 2020 (arXiv:1907.02044,
/// croce2020fab), Algorithm 1. It looks for the smallest perturbation that is misclassified. With z
/// the logits and u_i the current point, each step takes
///   s     = the class c ≠ y of smallest |z_c − z_y| / ‖∇(z_c − z_y)‖_q, q dual to the norm
///   π     = { u : ⟨w, u⟩ = b }, w = ∇(z_s − z_y)(u_i), b = ⟨w, u_i⟩ − (z_s − z_y)(u_i)
///   d_i, d = smallest steps from u_i and from x to π within [0,1]   (hyperplane.h)
///   α     = min(‖d_i‖ / (‖d_i‖ + ‖d‖), alpha_max), both norms at least 1e-8, per sample
///   u_i+1 = clip((1 − α)(u_i + η d_i) + α (x + η d))
/// and where u_i+1 is misclassified, into whatever class, keeps it if it is the nearest to x so far
/// and goes back: u_i+1 ← x + β (u_i+1 − x).
struct FabOptions {
  Budget budget = {};
  int steps = 100;
  int restarts = 1;
  double alpha_max = 0.1;
  double eta = 1.05;
  double beta = 0.9;
  bool smallest = false;
  Compat compat = Compat::none;
  static constexpr auto fields() {
    return std::tuple{
        field("budget", &FabOptions::budget, ""),
        field("steps", &FabOptions::steps, "steps to the nearest linearised boundary", at_least(1)),
        field("restarts", &FabOptions::restarts,
              "runs, the first from x, the others from a random point at epsilon / 2", at_least(1)),
        field("alpha_max", &FabOptions::alpha_max, "largest pull towards x", between(0, 1)),
        field("eta", &FabOptions::eta, "factor by which a step overshoots the boundary",
              at_least(1)),
        field("beta", &FabOptions::beta, "share of the perturbation kept after a success",
              between(0, 1)),
        field(
            "smallest", &FabOptions::smallest,
            "every restart on every sample, the nearest point counts; else only on those that are "
            "not fooled within epsilon yet"),
        field("compat", &FabOptions::compat, "repeat the oddities of the AutoAttack code of 2023")};
  }
};
NAMID_CHECK_FIELDS(FabOptions);

/// Rounds (rounds.h) that the attack takes on a model of that many classes.
constexpr int rounds(const FabOptions& options, std::int64_t /*classes*/ = 0) {
  return options.restarts;
}

/// x: float32 (N, *input_shape) in [0,1]; y: int64 (N). A round returns the smallest perturbation
/// it found where its norm, in float64, is at most epsilon; else that perturbation moved into the
/// ball, judged by a forward of its own; x where none was found. So nothing at the border is lost
/// to a comparison, and success is what the model says of x_adv. A sample that is misclassified
/// already is returned as it is, with success. `step` is 1 for the point after the first step,
/// `loss` the margin (losses.h) at x_adv. With an epsilon that no image exceeds (linf: 1) this is
/// FAB without a bound; the search does not stop at epsilon, so that the norms returned are the
/// smallest found.
///
/// smallest: as fab_minimum, and the point that it found is moved into the ball, where it lies
/// outside, and judged by one more forward. No effect with context.round.
///
/// Restarts r ≥ 1 start at clip(x + epsilon / 2 · t / ‖t‖), t uniform on (−1,1) for linf, else
/// normal. Passes per round and correctly classified sample, K classes: 2 steps + 2 forwards, (K −
/// 1) steps backwards; a misclassified one needs 2 forwards. context.observe gets r · steps + step
/// and the mean margin after that step.
///
/// Deviations from the paper: α has a floor of 1e-8 in its norms; no final search along the segment
/// to x. From AutoAttack's code of 2023: exact projections, in float64; a class whose gradient is 0
/// is never the nearest; the move into the ball. compat = autoattack instead divides by
/// 1e-12 + ‖∇‖_q (so that a class of zero difference and zero gradient is the nearest and stops the
/// sample), takes weights below 1e-8 as 0 (l2, l1), and returns x where the norm exceeds epsilon.
///
/// OptionError before the first pass for unfit arguments, and where the context has a loss or
/// gradient of its own; NumericError for logits or gradients that are not finite; run::Interrupted.
AttackResult fab(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                 const FabOptions& options = {}, const Context& context = {});

/// The smallest misclassified perturbation of all rounds, whatever epsilon: x_adv is x and success
/// false where none was found, `loss` is −‖x_adv − x‖. Every round attacks every sample; restarts
/// start at half the smaller of epsilon and the norm found so far. One forward per round less.
AttackResult fab_minimum(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                         const FabOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks
