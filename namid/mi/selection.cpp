// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/selection.h"

namespace namid::mi {

at::Tensor predicted_labels(const at::Tensor& logits, SelectionRule rule) {
  const at::Tensor z = logits.detach();
  switch (rule) {
    case SelectionRule::argmax:
      return z.argmax(1);
    case SelectionRule::batch_softmax:
      return z.softmax(0).argmax(1);
  }
  throw OptionError("[selection] unknown rule");
}

at::Tensor select(const at::Tensor& logits_natural, const at::Tensor& logits_adversarial,
                  const at::Tensor& y, SelectionRule rule) {
  const at::Tensor right = predicted_labels(logits_natural, rule).eq(y);
  return right.logical_and(predicted_labels(logits_adversarial, rule).ne(y));
}

at::Tensor select_right(const at::Tensor& logits_natural, const at::Tensor& logits_adversarial,
                        const at::Tensor& y, SelectionRule rule) {
  const at::Tensor right = predicted_labels(logits_natural, rule).eq(y);
  return right.logical_and(predicted_labels(logits_adversarial, rule).eq(y));
}

at::Tensor rows_of(const at::Tensor& selected) {
  return selected.nonzero().flatten();
}

}  // namespace namid::mi
