// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "namid/core/options.h"

namespace namid::attacks {

/// Per-sample losses that attacks maximise. cross_entropy: −log softmax(z)_y.
/// margin: max_{c≠y} z_c − z_y, positive: misclassified, negative: not;
/// a tie is 0 and argmax decides.
enum class AttackLoss { cross_entropy, margin };

/// Loss per sample (N) of logits (N, C) and labels (N).
at::Tensor attack_loss(AttackLoss loss, const at::Tensor& logits, const at::Tensor& y);

}  // namespace namid::attacks

namespace namid {
template <>
struct EnumNames<attacks::AttackLoss> {
  static constexpr std::array kNames{"cross_entropy", "margin"};
};
}  // namespace namid
