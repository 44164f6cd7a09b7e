// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/attack.h"
#include "namid/attacks/losses.h"

namespace namid::attacks {

/// FGSM, fast gradient sign method, Goodfellow et al. 2015 (arXiv:1412.6572, goodfellow2015), Sec.
/// 4: x_adv = clip_[0,1](x + ε sign ∇ₓL): one step of `pgd` from x, as long as epsilon; in L2 and
/// L1 (FGM) along the direction of steps.h. A baseline, no evidence of robustness.
struct FgsmOptions {
  Budget budget = {};
  AttackLoss loss = AttackLoss::cross_entropy;
  bool targeted = false;
  static constexpr auto fields() {
    return std::tuple{
        field("budget", &FgsmOptions::budget, ""),
        field("loss", &FgsmOptions::loss, "loss that is maximised"),
        field("targeted", &FgsmOptions::targeted, "y holds target classes, towards which x moves")};
  }
};
NAMID_CHECK_FIELDS(FgsmOptions);

/// One run.
constexpr int rounds(const FgsmOptions& /*options*/, std::int64_t /*classes*/ = 0) {
  return 1;
}

/// x: float32 (N, *input_shape) in [0,1]; y: int64 (N). The end of the step, or x where Judge::best
/// (best.h) prefers it. Passes per sample: 2 forwards, 1 backward. OptionError before
/// the first pass for unfit arguments (kl has no gradient at x); NumericError; run::Interrupted.
AttackResult fgsm(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                  const FgsmOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks
