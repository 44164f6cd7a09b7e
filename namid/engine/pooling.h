// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "namid/engine/plan.h"

namespace namid::engine {

// Windows over NHWC values, as PyTorch's avg_pool2d and max_pool2d: `step` is the pool, `input` the
// step that it reads; tensors are (N, H, W, C), contiguous.

/// y: the means of the windows; padding counts where window.count_include_pad.
void average_windows(const Step& step, const Step& input, const at::Tensor& x, const at::Tensor& y);
/// x: the gradient by the input, overwritten.
void spread_averages(const Step& step, const Step& input, const at::Tensor& y, const at::Tensor& x);

/// y: the largest of each window; `places`, uint8 like y, which place of the window it has. Windows
/// have at most kLargestWindow places.
void largest_of_windows(const Step& step, const Step& input, const at::Tensor& x,
                        const at::Tensor& y, const at::Tensor& places);
/// x: the gradient by the input, overwritten.
void scatter_to_largest(const Step& step, const Step& input, const at::Tensor& y,
                        const at::Tensor& places, const at::Tensor& x);

inline constexpr std::int64_t kLargestWindow = 256;

}  // namespace namid::engine
