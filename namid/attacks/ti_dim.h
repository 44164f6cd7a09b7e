// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/compat.h"
#include "namid/attacks/diversity.h"
#include "namid/attacks/momentum.h"
#include "namid/attacks/smoothing.h"

namespace namid::attacks {

/// TI-DIM, Dong et al. 2019 (arXiv:1904.02884, dong2019): diversified images (diversity.h), whose
/// gradients are smoothed (smoothing.h), then divided by their mean and added up (momentum.h).
struct TiDimOptions {
  Budget budget = {};
  Momentum momentum = {.steps = 40};
  Diversity diversity = {};
  Smoothing smoothing = {};
  Compat compat = Compat::none;
  static constexpr auto fields() {
    using T = TiDimOptions;
    return std::tuple{
        field("budget", &T::budget, ""), field("momentum", &T::momentum, ""),
        field("diversity", &T::diversity, ""), field("smoothing", &T::smoothing, ""),
        field("compat", &T::compat, "reference: as the released code, without diversity")};
  }
};
NAMID_CHECK_FIELDS(TiDimOptions);

/// One run.
constexpr int rounds(const TiDimOptions& /*options*/, std::int64_t /*classes*/ = 0) {
  return 1;
}

/// x: float32 (N, C, H, W) in [0,1]; y: int64 (N); norm linf or l2. The last point, judged as it
/// is; a transfer attack, never the only evidence. Passes and errors as di_fgsm.
/// compat = reference (linf; the released code of NAMID, whose calls resize to the image's own
/// size): no diversity; only the ball bounds the point that moves, the image is its clipping, and
/// the gradient is taken through the clipping. The code calls it with decay 0.1.
AttackResult ti_dim(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                    const TiDimOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks
