// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/mma_reference.h"

namespace namid::defenses {

at::Tensor mma_reference_loss(const at::Tensor& natural, const at::Tensor& adversarial,
                              const at::Tensor& y) {
  const auto loss = [&](const at::Tensor& logits) {
    return at::cross_entropy_loss(logits, y, {}, at::Reduction::None);
  };
  const at::Tensor right = natural.argmax(1).eq(y);
  return at::where(right, loss(adversarial), loss(natural)).mean();
}

BaseLoss mma_reference_base() {
  return {.loss = mma_reference_loss,
          .reference_forwards = {Forward::natural, Forward::adversarial}};
}

}  // namespace namid::defenses
