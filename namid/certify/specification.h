// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/certify/backward.h"

namespace namid::certify {

/// What is to be shown: for label y, z_y − z_t > 0 for every other class t. Rows e_y − e_t of the
/// logits, the classes − 1 rows of a sample one after the other.
struct Specification {
  Rows rows;
  at::Tensor rivals;  ///< int64 (N, classes − 1): t
};

/// `type`: of the network's tensors.
Specification specification(const at::Tensor& y, std::int64_t classes,
                            const at::TensorOptions& type);

}  // namespace namid::certify
