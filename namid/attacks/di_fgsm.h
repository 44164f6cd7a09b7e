// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/diversity.h"
#include "namid/attacks/momentum.h"

namespace namid::attacks {

/// DI-FGSM, Xie et al. 2019 (arXiv:1803.06978, xie2019): iterative FGSM (momentum.h, here without
/// momentum; decay 1: M-DI²-FGSM) whose gradients are taken at diversified images (diversity.h).
struct DiFgsmOptions {
  Budget budget = {};
  Momentum momentum = {.decay = 0};
  Diversity diversity = {};
  static constexpr auto fields() {
    using T = DiFgsmOptions;
    return std::tuple{field("budget", &T::budget, ""), field("momentum", &T::momentum, ""),
                      field("diversity", &T::diversity, "")};
  }
};
NAMID_CHECK_FIELDS(DiFgsmOptions);

/// One run.
constexpr int rounds(const DiFgsmOptions& /*options*/, std::int64_t /*classes*/ = 0) {
  return 1;
}

/// x: float32 (N, C, H, W) in [0,1]; y: int64 (N); norm linf or l2. The last point, judged as it
/// is. A transfer attack: against the model itself it is weaker than PGD. Passes per sample: steps
/// + 1 forwards, steps backwards; a forward of one image before tells which sizes the model takes.
/// Each sample draws its own size and place, by its id and the step alone; the published codes
/// share one draw in a batch. OptionError for samples that are no images and as pgd does;
/// NumericError; run::Interrupted.
AttackResult di_fgsm(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                     const DiFgsmOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks
