// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/attack.h"

namespace namid::attacks {

/// DDN, decoupled direction and norm, Rony et al. 2019 (arXiv:1811.09600, rony2019), Algorithm 1:
/// the smallest L2 perturbation by steps whose direction follows the gradient of cross-entropy and
/// whose length is steered by the verdict alone. From δ_0 = 0, for k = 0 .. steps − 1:
///   δ ← δ_k + α_k g / ‖g‖₂,   g = ∇ CE(z(x + δ_k), y)   (targeted: of −CE to the target)
///   ρ_k+1 = ρ_k (1 − γ) where x + δ_k is adversarial, else ρ_k (1 + γ)
///   δ_k+1 = the rest of clip_[0,1](quantised(x + ρ_k+1 δ / ‖δ‖₂)) − x
/// with α_k = 0.01 + 0.495 (1 + cos(π (k + 1) / steps)), from near 1 to 0.01.
struct DdnOptions {
  Budget budget = {.norm = Norm::l2, .epsilon = 0.5};
  int steps = 20;
  double gamma = 0.05;
  double initial_norm = 1;
  int levels = 256;
  bool targeted = false;
  static constexpr auto fields() {
    return std::tuple{
        field("budget", &DdnOptions::budget, ""),
        field("steps", &DdnOptions::steps, "gradient steps", at_least(1)),
        field("gamma", &DdnOptions::gamma, "by which the norm shrinks or grows", between(0, 1)),
        field("initial_norm", &DdnOptions::initial_norm, "norm of the first step", above(0)),
        field("levels", &DdnOptions::levels,
              "grey levels that the image is rounded to at each step; 0: not rounded", at_least(0)),
        field("targeted", &DdnOptions::targeted, "y holds target classes, towards which x moves")};
  }
};
NAMID_CHECK_FIELDS(DdnOptions);

/// One run.
constexpr int rounds(const DdnOptions& /*options*/, std::int64_t /*classes*/ = 0) {
  return 1;
}

/// x: float32 (N, *input_shape) in [0,1]; y: int64 (N); norm l2. Of the points x + δ_0 ..
/// x + δ_{steps−1} the nearest misclassified one is kept, then treated as within_budget
/// (minimum_norm.h) says: a large epsilon gives the search without a bound. A sample that is
/// misclassified already is returned as it is. `step` is k, `loss` the margin.
///
/// Passes per sample: steps forwards, one more where the point found had to be moved into the ball,
/// steps backwards. Deviations from the paper: as in advertorch 0.2.3 the last δ is not judged, and
/// a vanishing gradient is replaced by normal draws. Distances are taken in float64. levels 1 is
/// refused: every image would be black.
///
/// OptionError before the first pass for unfit arguments; NumericError; run::Interrupted.
AttackResult ddn(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                 const DdnOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks
