// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "namid/core/options.h"

namespace namid::mi {

/// The label a model is taken to predict. argmax: the class of the largest logit; batch_softmax:
/// the largest of softmax over the *batch* dimension (reference code, not the predicted class).
enum class SelectionRule { argmax, batch_softmax };

/// What becomes of an epoch's last, smaller batch, with which bias and clamp of the scores move.
enum class PartialBatch { drop, use };

/// Labels int64 (N) of logits (N, classes); the first of equal ones. No gradient.
at::Tensor predicted_labels(const at::Tensor& logits, SelectionRule rule = SelectionRule::argmax);

/// Eq. 6: samples right on the natural image and wrong on the adversarial one. Returns bool (N).
at::Tensor select(const at::Tensor& logits_natural, const at::Tensor& logits_adversarial,
                  const at::Tensor& y, SelectionRule rule = SelectionRule::argmax);

/// Samples right on both images. Returns bool (N).
at::Tensor select_right(const at::Tensor& logits_natural, const at::Tensor& logits_adversarial,
                        const at::Tensor& y, SelectionRule rule = SelectionRule::argmax);

/// Indices int64 (m) of the true entries of a mask (N), to index with: a row that is multiplied by
/// 0 instead still spreads its NaN.
at::Tensor rows_of(const at::Tensor& selected);

}  // namespace namid::mi

namespace namid {
template <>
struct EnumNames<mi::SelectionRule> {
  static constexpr std::array kNames{"argmax", "batch-softmax"};
};
template <>
struct EnumNames<mi::PartialBatch> {
  static constexpr std::array kNames{"drop", "use"};
};
}  // namespace namid
