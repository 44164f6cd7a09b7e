// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "namid/attacks/attack.h"

namespace namid::attacks {

/// A batch of any shape as images: the last two dimensions are height and width, those before them
/// channels. Vectors (N, d) are one channel of one row: 1 x 1 x d.
struct ImageSize {
  std::int64_t channels = 1, height = 1, width = 1;
};
ImageSize image_size(const at::Tensor& x);

/// Rows and columns of a rectangle of pixels.
struct WindowSize {
  std::int64_t rows = 0, columns = 0;
};

/// Share p of the pixels that iteration i = 0, 1, ... changes: p_init up to i = 10, then half of it
/// up to 50, a quarter up to 200, and so on up to 500, 1000, 2000, 4000, 6000, 8000; then p_init /
/// 512. Schedule of Andriushchenko et al. 2020 for 10000 iterations; the step at 500 is in their
/// code, not in their text.
double square_share(double p_init, std::int64_t iteration);

/// Window of a share p of the pixels. L∞: s = max(round(√(p H W)), 1); L2 and L1: s = max(round(√(p
/// H W)), 3), plus 1 if even, so that eta has a middle row. s is at most min(H, W). Where H or W is
/// 1 (a vector of d entries), not in the paper: a segment of round(p d), with the same floors.
WindowSize square_window(const ImageSize& size, Norm norm, double share);

/// Nested rectangles, Algorithm 3 of Andriushchenko et al. 2020 (arXiv:1912.00049), on the CPU: the
/// entry at Chebyshev distance k from the middle (⌊rows/2⌋, ⌊columns/2⌋) is Σ_{c=k}^{n}
/// 1 / (c+1)^a with n = max(⌊rows/2⌋, ⌊columns/2⌋), then divided by the norm. L2: a = 2; L1: a = 4
/// (Croce & Hein 2021, arXiv:2103.01208). Norm 1; empty for no rows.
at::Tensor square_rectangles(std::int64_t rows, std::int64_t columns, Norm norm);

/// Perturbation η of a window: rectangles on the upper ⌊rows/2⌋ rows, minus rectangles on the rest,
/// norm 1. `turned`: that of the transposed window, transposed (left half +, right half −).
at::Tensor square_eta(const WindowSize& window, Norm norm, bool turned);

}  // namespace namid::attacks
