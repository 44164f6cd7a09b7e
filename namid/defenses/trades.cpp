// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/trades.h"

namespace namid::defenses {

at::Tensor trades_loss(const at::Tensor& natural, const at::Tensor& adversarial,
                       const at::Tensor& y, double beta) {
  return at::cross_entropy_loss(natural, y) + beta * attacks::kl_from(natural, adversarial).mean();
}

BaseLoss trades_base(const TradesOptions& options) {
  validate(options, "trades");
  return {.loss = [beta = options.beta](
                      const at::Tensor& natural, const at::Tensor& adversarial,
                      const at::Tensor& y) { return trades_loss(natural, adversarial, y, beta); },
          .ascended = attacks::AttackLoss::kl,
          .reference_forwards = {Forward::natural, Forward::adversarial, Forward::natural}};
}

}  // namespace namid::defenses
