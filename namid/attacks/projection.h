// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "namid/attacks/attack.h"

namespace namid::attacks {

/// Projection onto the ball around x, then onto the box [0,1]. x lies in the box, so that the
/// second step leaves no entry farther from x: the result is in both (for L2 it is not always the
/// nearest such point). Guarantees, after rounding: L∞ ≤ epsilon + 1e-7, L2 ≤ epsilon (1 + 1e-5) in
/// float64, the box exactly; an epsilon of 0 gives x bit for bit.
class Projection {
 public:
  /// x: float32 (N, ...) in [0,1]; kept by reference count, not copied.
  Projection(const at::Tensor& x, const Budget& budget);

  /// Moves x_adv, shaped like x and without graph, in place.
  void operator()(at::Tensor& x_adv) const;

 private:
  void project_l2(at::Tensor& x_adv) const;

  at::Tensor x_;
  Budget budget_;
  at::Tensor lower_, upper_;  // linf: ball and box in one
  bool fine_ = false;         // l2: so small a radius that rounding to float32 could leave the ball
};

/// The projection of x_adv as a new tensor.
at::Tensor project(const at::Tensor& x_adv, const at::Tensor& x, const Budget& budget);

}  // namespace namid::attacks
