// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/losses.h"

#include <limits>

#include "namid/core/error.h"

namespace namid::attacks {
namespace {

constexpr double kDlrFloor = 1e-12, kMaltFloor = 1e-8;

at::Tensor logit_of(const at::Tensor& logits, const at::Tensor& classes) {
  return logits.gather(1, classes.unsqueeze(1)).squeeze(1);
}

at::Tensor margin(const at::Tensor& logits, const at::Tensor& y) {
  const auto others = logits.scatter(1, y.unsqueeze(1), -std::numeric_limits<double>::infinity());
  return others.amax(1) - logit_of(logits, y);
}

at::Tensor dlr(const at::Tensor& logits, const at::Tensor& y) {
  const auto top = std::get<0>(logits.topk(3, 1));
  return margin(logits, y) / (top.select(1, 0) - top.select(1, 2) + kDlrFloor);
}

/// z_(1) − (z_(3) + z_(4)) / 2.
at::Tensor spread_of_four(const at::Tensor& logits) {
  const auto top = std::get<0>(logits.topk(4, 1));
  return top.select(1, 0) - 0.5 * (top.select(1, 2) + top.select(1, 3));
}

}  // namespace

at::Tensor attack_loss(AttackLoss loss, const at::Tensor& logits, const at::Tensor& y) {
  switch (loss) {
    case AttackLoss::cross_entropy:
      return at::cross_entropy_loss(logits, y, {}, at::Reduction::None);
    case AttackLoss::margin:
      return margin(logits, y);
    case AttackLoss::dlr:
      return dlr(logits, y);
    case AttackLoss::kl:
      break;
  }
  throw OptionError("[loss] kl needs the logits of the clean images");
}

at::Tensor dlr_targeted(const at::Tensor& logits, const at::Tensor& y, const at::Tensor& target) {
  return (logit_of(logits, target) - logit_of(logits, y)) / (spread_of_four(logits) + kDlrFloor);
}

at::Tensor dlr_towards(const at::Tensor& logits, const at::Tensor& target) {
  return -margin(logits, target) / (spread_of_four(logits) + kMaltFloor);
}

at::Tensor kl_from(const at::Tensor& clean, const at::Tensor& logits) {
  const auto expected = at::log_softmax(clean, 1);
  return (expected.exp() * (expected - at::log_softmax(logits, 1))).sum(1);
}

LossFunction climbed_loss(AttackLoss loss, bool targeted, const at::Tensor& clean) {
  return [=](const at::Tensor&, const at::Tensor& logits, const at::Tensor& y) {
    if (loss == AttackLoss::kl) return kl_from(clean, logits);
    const auto value = attack_loss(loss, logits, y);
    return targeted ? -value : value;
  };
}

void check_loss(AttackLoss loss, bool targeted, std::int64_t classes, std::string_view where) {
  if (loss == AttackLoss::dlr && classes < 3)
    throw OptionError(str("[", where, "] loss: dlr needs at least 3 classes, the model has ",
                          classes, "; use margin or cross_entropy"));
  if (loss == AttackLoss::kl && targeted)
    throw OptionError(
        str("[", where, "] loss: kl knows no target class; use cross_entropy, margin or dlr"));
}

}  // namespace namid::attacks
