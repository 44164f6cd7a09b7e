// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "namid/attacks/attack.h"

namespace namid::attacks {

/// Direction of steepest ascent, per sample of (N, ...): sign(g) for L∞, g / max(‖g‖₂, 1e-12) for
/// L2. A zero gradient gives a zero direction. The norm is taken in float64, so that it neither
/// overflows nor vanishes.
at::Tensor ascent(const at::Tensor& gradient, Norm norm);

}  // namespace namid::attacks
