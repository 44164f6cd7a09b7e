// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace namid::mi {

/// u[i,j,k] = ⟨G_i, L_{j,k}⟩: i indexes the global vector (row), j the image that gives the local
/// features, k its location. global: (N, U); local: (N, U, K). Returns (N, N, K). OptionError for
/// other shapes.
at::Tensor score_tensor(const at::Tensor& global, const at::Tensor& local);

}  // namespace namid::mi
