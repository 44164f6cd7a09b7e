// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/mart.h"

namespace namid::defenses {

at::Tensor mart_loss(const at::Tensor& natural, const at::Tensor& adversarial, const at::Tensor& y,
                     double beta) {
  constexpr double kTiny = 1e-12;
  const at::Tensor label = y.unsqueeze(1);
  const at::Tensor log_p = at::log_softmax(natural, 1), p = log_p.exp();
  const at::Tensor q = at::softmax(adversarial, 1);

  const at::Tensor likeliest_wrong = q.scatter(1, label, -1.0).amax(1);
  const at::Tensor bce =
      at::cross_entropy_loss(adversarial, y) - (1.0001 - likeliest_wrong + kTiny).log().mean();
  const at::Tensor kl = (p * (log_p - (q + kTiny).log())).sum(1);
  const at::Tensor weight = 1.0000001 - p.gather(1, label).squeeze(1);
  return bce + beta * (kl * weight).mean();
}

BaseLoss mart_base(const MartOptions& options) {
  validate(options, "mart");
  return {.loss = [beta = options.beta](
                      const at::Tensor& natural, const at::Tensor& adversarial,
                      const at::Tensor& y) { return mart_loss(natural, adversarial, y, beta); },
          .reference_forwards = {Forward::natural, Forward::adversarial}};
}

}  // namespace namid::defenses
