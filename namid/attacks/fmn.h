// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/attack.h"
#include "namid/attacks/compat.h"

namespace namid::attacks {

/// FMN, fast minimum-norm attack, Pintor et al. 2021 (arXiv:2102.12827, pintor2021), Algorithm 1:
/// a ball whose radius ε follows the boundary, and steps along the gradient of the margin ℓ =
/// max_{j≠y} z_j − z_y (targeted: z_t − max_{j≠t} z_j). From δ_0 = 0, for k = 0 .. steps − 1 with c
/// = (1 + cos(π k / steps)) / 2, at x + δ_k, q dual to the norm p and g = ∇ℓ without the entries
/// that the box does not let move (inside_box, steps.h):
///   ε ← min(ε (1 − γ_k), smallest norm found)      where misclassified
///   ε ← ε (1 + γ_k)                                where not, but some δ was
///   ε ← ‖δ_k‖_p + overshoot · |ℓ| / ‖g‖_q          where none was yet: the linearised boundary
///   δ_k+1 = clip_[0,1](x + Π_ε(δ_k + α_k g / ‖g‖₂)) − x
/// In l0, where ε counts entries (of all channels) and begins at 1,
///   ε ← min(ε − 1, ⌊ε (1 − γ_k)⌋, smallest found)    where misclassified, but at least 1
///   ε ← max(ε + 1, ⌊ε (1 + γ_k)⌋)                    where not
/// and Π_ε keeps the ε largest |δ_i|, ties included; g is all of ∇ℓ. ε never exceeds the norm of
/// max(x, 1 − x). All is done with α_k and γ_k falling by c from step_size to step_size / 100 and
/// from gamma to gamma_final. In l1 and l2 Π_ε is onto the sphere: what lies inside is scaled
/// outwards to ε; in linf α_k is at least overshoot · |ℓ| / ‖g‖₂ where none was found yet.
struct FmnOptions {
  Budget budget = {.norm = Norm::l2, .epsilon = 0.5};
  int steps = 100;
  double step_size = 1;
  double gamma = 0.05;
  double gamma_final = 0.001;
  double overshoot = 1.02;
  bool targeted = false;
  Compat compat = Compat::none;
  static constexpr auto fields() {
    using T = FmnOptions;
    return std::tuple{
        field("budget", &T::budget, ""),
        field("steps", &T::steps, "gradient steps; 1000 for norms that are reported", at_least(1)),
        field("step_size", &T::step_size, "L2 length of the first step", above(0)),
        field("gamma", &T::gamma, "first factor by which the radius follows", between(0, 1)),
        field("gamma_final", &T::gamma_final, "last factor", between(0, 1)),
        field("overshoot", &T::overshoot,
              "factor on the distance to the linearised boundary; 1: the paper's, which on a "
              "locally linear model ends on the boundary",
              at_least(1)),
        field("targeted", &T::targeted, "y holds target classes, towards which x moves"),
        field("compat", &T::compat, "reference: the paper's own step and projection")};
  }
};
NAMID_CHECK_FIELDS(FmnOptions);

/// One run.
constexpr int rounds(const FmnOptions& /*options*/, std::int64_t /*classes*/ = 0) {
  return 1;
}

/// x: float32 (N, *input_shape) in [0,1]; y: int64 (N). Of the points visited the nearest
/// misclassified one is kept, x where there is none, then treated as within_budget (minimum_norm.h)
/// says: a large epsilon gives the search without a bound. A sample that is misclassified already
/// is returned as it is. `step` is k, `loss` ℓ. context.loss and context.gradient replace ℓ.
///
/// Passes per sample: steps forwards, one more where the point found had to be moved into the ball,
/// steps backwards. Deviations from the paper: overshoot; the gradient inside the box; sphere and
/// longer steps; the last δ is not judged; norms in float64; in l0 ε never falls to 0, where δ
/// could not move. An l0 search of T steps that finds nothing has tried some T entries: give it
/// steps for the rest. In the paper the boundary is linearised over entries that the box holds,
/// too, and Π_ε never moves δ outwards: δ lags behind ε and stops short of boundaries that exist;
/// hence the gradient inside the box, sphere and longer steps (docs/comparison.md has what they
/// gain). compat = reference: the paper's gradient, step and projection. Where logits saturate, the
/// linearised boundary lies far behind the real one and the sphere can lead past it.
///
/// OptionError before the first pass for unfit arguments; NumericError; run::Interrupted.
AttackResult fmn(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                 const FmnOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks
