// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/certify/backward.h"

namespace namid::certify {

/// Bounds (N, *shape) of a layer's value over the input set.
struct Bounds {
  at::Tensor lower, upper;
};

/// How a ReLU is bounded. constant: by numbers, which is interval arithmetic; fast_lin and crown:
/// see `relax`.
enum class Slopes { constant, fast_lin, crown };

/// The linear bounds of relu(y) for l ≤ y ≤ u. l ≥ 0: y. u ≤ 0: 0. Else, with s = u / (u − l), the
/// chord s (y − l) above, and below a y with
///   fast_lin  a = s (Weng et al. 2018, arXiv:1804.09699; the LP dual of Wong & Kolter 2018,
///             arXiv:1711.00851)
///   crown     a = 1 if u > −l, else 0 (Zhang et al. 2018, arXiv:1811.00866, the adaptive choice)
/// constant: relu(l) below and relu(u) above, without slopes. An interval narrower than 1e-12 has
/// s = 1 and the intercept −l, so that no quotient of rounding errors is formed.
Relaxation relax(const Bounds& bounds, Slopes slopes);

/// Where the ReLU has no linear form: l < 0 < u.
at::Tensor unstable(const Bounds& bounds);

}  // namespace namid::certify
