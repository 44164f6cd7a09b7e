// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "namid/attacks/attack.h"

namespace namid::attacks {

/// The hyperplane ⟨w, u⟩ = b, one per sample.
struct Hyperplane {
  at::Tensor w;  ///< (N, ...)
  at::Tensor b;  ///< (N), float64
};

/// The smallest d in the norm with t + d on the hyperplane and in [0,1]; where the box holds no
/// such point, the d to the border of the box on every coordinate, which comes nearest to the
/// hyperplane. Croce & Hein 2020 (arXiv:1907.02044), Sec. 2, there for one point and by bisection.
/// t: (N, ...) in [0,1]. Returns float64 like t.
///
/// With c = |⟨w,t⟩ − b|, every coordinate moves against s w_i, s = sign(⟨w,t⟩ − b), and has the
/// room p_i to the border on that side. L∞ and L2: d_i = −s sign(w_i) min(λ v_i, p_i) with the
/// speeds v_i = 1 (L∞) or |w_i| (L2), λ the root of Σ_i |w_i| min(λ v_i, p_i) = c: piecewise linear
/// with breakpoints p_i / v_i, found by Newton's method row by row on the CPU, elsewhere by a sort
/// and prefix sums. L1: the coordinates of largest
/// |w_i| move one after the other, each as far as it can, until c is reached. Coordinates of weight
/// 0 stay. All in float64, without bisection; t + d leaves the box by its rounding at most.
at::Tensor hyperplane_projection(const at::Tensor& t, const Hyperplane& plane, Norm norm);

/// The same by whole tensors, on any device.
at::Tensor hyperplane_projection_by_sorting(const at::Tensor& t, const Hyperplane& plane,
                                            Norm norm);

}  // namespace namid::attacks
