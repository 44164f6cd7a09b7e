// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "namid/mi/donsker_varadhan.h"

namespace namid::mi {

/// `donsker_varadhan(score_tensor(global, local), mask)` without the score tensor: scores are made
/// for `images` images at a time (columns j of u), their log-sum-exp is carried along, and the
/// backward pass makes them again. global: (N, U); local: (N, U, K); returns (N, K).
/// Beside the gradients of both inputs it needs about N·images·K scores twice and U·images·K
/// numbers twice, where the plain form keeps several tensors of N·N·K. It costs one more product
/// G·L. Blocks are columns and not rows of u: then the permuted copy of `local` that the product
/// needs is a block too. Equal to the plain form up to rounding (1e-12 relative in float64, 1e-5 in
/// float32). First derivatives only: OptionError where a second one is asked for. OptionError for
/// unfit shapes and images < 1.
at::Tensor donsker_varadhan_blocked(const at::Tensor& global, const at::Tensor& local,
                                    std::int64_t images, DvMask mask = DvMask::exclude);

/// The plain form up to N·N·K = 2^24 scores (64 MiB in float32: N 512 at 64 locations), above it
/// the blocked one with as many images as give at most 2^22 scores a block. Fixed numbers, so that
/// the same shapes always give the same bits.
at::Tensor donsker_varadhan_of_features(const at::Tensor& global, const at::Tensor& local,
                                        DvMask mask = DvMask::exclude);

}  // namespace namid::mi
