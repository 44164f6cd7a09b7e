// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "namid/attacks/attack.h"

namespace namid::attacks {

/// Which of ball and box an L2 step meets first; the point ends in both. A ball that is met last
/// leaves the full radius to a point that the box moved.
enum class L2Order { ball_first, box_first };

/// Projection onto ball and box. L∞ and L1: the nearest point of both. L2: onto the ball around x
/// and onto the box [0,1], in either order; x lies in both, so that the second step does not leave
/// the first: the result is in both, but not always the nearest such point. L0: onto the box, then
/// the ⌊epsilon⌋ entries farthest from x stay (of equals the first) and the others become x's.
/// Guarantees, after rounding: L∞ ≤ epsilon + 1e-7, L2 and L1 ≤ epsilon (1 + 1e-5) in float64, L0
/// and the box exactly; an epsilon of 0 gives x bit for bit.
class Projection {
 public:
  /// x: float32 (N, ...) in [0,1]; kept by reference count, not copied.
  Projection(const at::Tensor& x, const Budget& budget, L2Order order = L2Order::ball_first);

  /// Moves x_adv, shaped like x and without graph, in place.
  void operator()(at::Tensor& x_adv) const;

 private:
  void project_l2(at::Tensor& x_adv) const;
  void project_l1(at::Tensor& x_adv) const;
  void project_l0(at::Tensor& x_adv) const;

  at::Tensor x_;
  Budget budget_;
  L2Order order_;
  at::Tensor lower_, upper_;  // linf: ball and box in one
  bool fine_ = false;         // l2: so small a radius that rounding to float32 could leave the ball
};

/// The nearest perturbation z to v (N, ...) with ‖z‖₁ ≤ epsilon and x + z in [0,1], in float64:
/// z_i = sign(v_i) min(max(|v_i| − α, 0), r_i), where the room r_i is what |v_i| and the box leave
/// and α ≥ 0 is the root of Σ_i |z_i| = epsilon (0 if the box alone keeps the norm). The sum is
/// piecewise linear in α with breakpoints |v_i| − r_i and |v_i|: sorted, with prefix sums of the
/// slopes. Croce & Hein 2021 (arXiv:2103.01208), Sec. 3.1.
at::Tensor l1_box_projection(const at::Tensor& v, const at::Tensor& x, double epsilon);

/// The projection of x_adv as a new tensor.
at::Tensor project(const at::Tensor& x_adv, const at::Tensor& x, const Budget& budget,
                   L2Order order = L2Order::ball_first);

/// Projects the samples of x_adv that lie farther from x than epsilon; those inside stay bit for
/// bit. Returns which lay inside, (N) bool.
at::Tensor move_inside(at::Tensor& x_adv, const at::Tensor& x, const Budget& budget);

}  // namespace namid::attacks

namespace namid {
template <>
struct EnumNames<attacks::L2Order> {
  static constexpr std::array kNames{"ball-first", "box-first"};
};
}  // namespace namid
