// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/momentum.h"
#include "namid/attacks/smoothing.h"

namespace namid::attacks {

/// TI-FGSM, Dong et al. 2019 (arXiv:1904.02884, dong2019): iterative FGSM with momentum
/// (momentum.h) along smoothed gradients (smoothing.h).
struct TiFgsmOptions {
  Budget budget = {};
  Momentum momentum = {};
  Smoothing smoothing = {};
  static constexpr auto fields() {
    using T = TiFgsmOptions;
    return std::tuple{field("budget", &T::budget, ""), field("momentum", &T::momentum, ""),
                      field("smoothing", &T::smoothing, "")};
  }
};
NAMID_CHECK_FIELDS(TiFgsmOptions);

/// One run.
constexpr int rounds(const TiFgsmOptions& /*options*/, std::int64_t /*classes*/ = 0) {
  return 1;
}

/// x: float32 (N, C, H, W) in [0,1]; y: int64 (N); norm linf or l2. The last point. A transfer
/// attack: on images of 32 × 32 a kernel of 15 smears nearly everything, and the attack is weak
/// against the model itself. Passes and errors as mi_fgsm.
AttackResult ti_fgsm(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                     const TiFgsmOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks
