// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "namid/attacks/attack.h"

namespace namid::attacks {

/// All dimensions but the first: those of one sample.
std::vector<std::int64_t> sample_dims(const at::Tensor& batch);

/// Values (N) viewed as (N, 1, ..., 1), to be broadcast over `batch`.
at::Tensor per_sample(const at::Tensor& values, const at::Tensor& batch);

/// Norm of each sample of (N, ...) as float64 (N), accumulated in float64; l0: its nonzero entries.
at::Tensor sample_norms(const at::Tensor& batch, Norm norm);

/// Norms of x_adv - x as float64 (N); the difference itself is taken in float64.
at::Tensor perturbation_norms(const at::Tensor& x_adv, const at::Tensor& x, Norm norm);

}  // namespace namid::attacks
