// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace namid::engine {

// Between images (N, C, H, W) and values (N, H, W, C), both contiguous float32. scale and shift:
// float32 (C), or undefined: 1 and 0.

/// to = scale_c from + shift_c, from NCHW to NHWC.
void enter_nhwc(const at::Tensor& from, const at::Tensor& to, const at::Tensor& scale,
                const at::Tensor& shift);
/// to = scale_c from, from NHWC to NCHW.
void leave_nhwc(const at::Tensor& from, const at::Tensor& to, const at::Tensor& scale);

}  // namespace namid::engine
