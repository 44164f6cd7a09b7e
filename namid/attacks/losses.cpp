// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/losses.h"

#include <limits>

namespace namid::attacks {
namespace {

at::Tensor margin(const at::Tensor& logits, const at::Tensor& y) {
  const auto label = y.unsqueeze(1);
  const auto own = logits.gather(1, label).squeeze(1);
  const auto others = logits.scatter(1, label, -std::numeric_limits<double>::infinity());
  return others.amax(1) - own;
}

}  // namespace

at::Tensor attack_loss(AttackLoss loss, const at::Tensor& logits, const at::Tensor& y) {
  if (loss == AttackLoss::margin) return margin(logits, y);
  return at::cross_entropy_loss(logits, y, {}, at::Reduction::None);
}

}  // namespace namid::attacks
