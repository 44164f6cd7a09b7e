// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace namid::engine {

/// A float32 tensor in the CPU's memory as the kernels read it, without a forward gradient.
bool is_plain(const at::Tensor& x);

/// Whether nobody traces or casts what is computed on this thread.
bool is_plain_call();

}  // namespace namid::engine
