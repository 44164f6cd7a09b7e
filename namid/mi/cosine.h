// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "namid/core/options.h"

namespace namid::mi {

/// How alike two vectors of scores are (L_cos of Eq. 8). batch: one cosine over the selected
/// samples; centred: Pearson correlation instead; locations: per sample over its K locations, then
/// the mean; l1: mean absolute difference.
/// batch is scale-free and near 1 whenever all scores share sign and size; centred is ±1 for two
/// samples, locations for K = 1.
enum class Cosine { batch, centred, locations, l1 };

/// L_cos: |1 − similarity| (l1: the mean absolute difference) of the selected rows.
/// a, b: per-location losses (N, K) of `donsker_varadhan`, whose mean over K is a sample's loss
/// (all kinds but locations use that mean); selected: bool (N). Scalar; 0 with zero gradient where
/// fewer than two samples are selected. Rows that are not selected count for nothing, even if they
/// hold NaN. similarity(a, b) = Σ a b / (max(‖a‖, 1e-8) max(‖b‖, 1e-8)).
at::Tensor cosine_loss(const at::Tensor& a, const at::Tensor& b, const at::Tensor& selected,
                       Cosine kind = Cosine::batch);

}  // namespace namid::mi

namespace namid {
template <>
struct EnumNames<mi::Cosine> {
  static constexpr std::array kNames{"batch", "centred", "locations", "l1"};
};
}  // namespace namid
