// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "namid/attacks/attack.h"

namespace namid::attacks {

/// Direction of ascent, per sample of (N, ...): sign(g) for L∞, g / max(‖g‖₂, 1e-12) for L2; for L1
/// the sign on the largest 1 % of the |g_i| (at least one; ties all count), divided by their number
/// (Tramèr & Boneh 2019, arXiv:1904.13000, Sec. 3.2, "sparse L1 descent"). A zero gradient gives a
/// zero direction. The norm is taken in float64, so that it neither overflows nor vanishes.
at::Tensor ascent(const at::Tensor& gradient, Norm norm);

/// The gradient without the entries along which x_adv already stands at the box: 0 where g > 0 at 1
/// or g < 0 at 0. Sparse L1 steps choose among the rest; else they are spent on entries that the
/// box takes back, and on images of black and white pixels most steps move nothing.
at::Tensor inside_box(const at::Tensor& gradient, const at::Tensor& x_adv);

}  // namespace namid::attacks
