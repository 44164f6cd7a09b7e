// SPDX-License-Identifier: Apache-2.0
#include "namid/certify/specification.h"

#include <ATen/Functions.h>

namespace namid::certify {

Specification specification(const at::Tensor& y, std::int64_t classes,
                            const at::TensorOptions& type) {
  const auto labels = y.to(type.device(), at::kLong);
  const auto n = labels.size(0);
  const auto step = at::arange(1, classes, labels.options()).view({1, -1});
  // The classes but y in ascending order.
  const auto others = step - 1 + (step - 1 >= labels.view({-1, 1})).to(at::kLong);
  const auto rows = n * (classes - 1);
  const auto one = at::eye(classes, type);
  const auto own = labels.repeat_interleave(classes - 1);
  return {{one.index_select(0, own) - one.index_select(0, others.reshape(rows)),
           at::arange(n, labels.options()).repeat_interleave(classes - 1)},
          others};
}

}  // namespace namid::certify
