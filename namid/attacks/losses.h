// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "namid/attacks/attack.h"
#include "namid/core/options.h"

namespace namid::attacks {

/// Per-sample losses that attacks maximise, of logits z and label y; z_(r): the r-th largest.
/// cross_entropy: −log softmax(z)_y.
/// margin: max_{c≠y} z_c − z_y, positive: misclassified, negative: not; a tie is 0 and argmax
/// decides.
/// dlr: margin / (z_(1) − z_(3) + 1e-12), Croce & Hein 2020 (arXiv:2003.01690), Eq. (6): invariant
/// to shift and scale of the logits. At least 3 classes.
/// kl: KL(softmax(z of x) ‖ softmax(z)), the inner loss of TRADES (Zhang et al. 2019,
/// arXiv:1901.08573); knows no label. Its gradient is 0 at x itself.
enum class AttackLoss { cross_entropy, margin, dlr, kl };

/// Loss per sample (N) of logits (N, C) and labels (N). OptionError for kl, which `climbed_loss`
/// gives: it compares with the logits of another point.
at::Tensor attack_loss(AttackLoss loss, const at::Tensor& logits, const at::Tensor& y);

/// Targeted DLR (N): (z_t − z_y) / (z_(1) − (z_(3) + z_(4)) / 2 + 1e-12), Croce & Hein 2020, Eq.
/// (7). At least 4 classes.
at::Tensor dlr_targeted(const at::Tensor& logits, const at::Tensor& y, const at::Tensor& target);

/// The loss of MALT (N), Melamed et al. 2024 (arXiv:2407.02240, melamed2024):
/// (z_t − max_{j≠t} z_j) / (z_(1) − (z_(3) + z_(4)) / 2 + 1e-8). At least 4 classes.
at::Tensor dlr_towards(const at::Tensor& logits, const at::Tensor& target);

/// KL(softmax(clean) ‖ softmax(logits)) per sample (N).
at::Tensor kl_from(const at::Tensor& clean, const at::Tensor& logits);

/// The loss as an attack climbs it: targeted, −attack_loss of the target that y holds. kl compares
/// with `clean` (N, C), the logits of x; the other losses leave it alone.
LossFunction climbed_loss(AttackLoss loss, bool targeted, const at::Tensor& clean = {});

/// OptionError where the model has too few classes for dlr, or kl is to be targeted.
void check_loss(AttackLoss loss, bool targeted, std::int64_t classes, std::string_view where);

}  // namespace namid::attacks

namespace namid {
template <>
struct EnumNames<attacks::AttackLoss> {
  static constexpr std::array kNames{"cross_entropy", "margin", "dlr", "kl"};
};
}  // namespace namid
