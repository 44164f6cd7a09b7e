// SPDX-License-Identifier: Apache-2.0
#pragma once

// The steps of Auto-PGD, and when they shrink. All state is per sample. Both classes are used
// alike: next() gives the next point, shrink() is told the loss there.

#include <ATen/core/Tensor.h>

#include "namid/attacks/attack.h"
#include "namid/attacks/compat.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/projection.h"

namespace namid::attacks {

/// A climb of `steps` steps inside a ball.
struct ApgdStage {
  Budget budget;
  int steps = 100;
  double rho = 0.75;
  Compat compat = Compat::none;
  Automatic<L2Order> l2_order = {};
  bool given_start = false;  ///< starts at a point that is sparse already (larger ε)
};

/// The projection of x_adv onto ball and box, in L2 the box first unless l2_order or compat says
/// otherwise: in the other order a step loses the length that the box cuts off. compat in L1: (x +
/// v) + (p − v) in float32, v = x_adv − x, p its projection: entries that fall to 0 keep what
/// rounding leaves, near 1e-8.
at::Tensor apgd_project(const at::Tensor& x_adv, const at::Tensor& x, const ApgdStage& stage);

/// The point of the highest loss so far, with its gradient; among equals the earliest.
struct Highest {
  at::Tensor x_adv, loss, gradient;
  Highest(const at::Tensor& start, const LossAndGradient& point);
  /// Keeps its gradient where `point` has none.
  void update(const at::Tensor& x_adv, const LossAndGradient& point);
};

/// L∞ and L2, arXiv:2003.01690, Sec. 3.2: with a = 1 at the first step, else 0.75,
///   z = Π(x_k + η dir(g)),  x_{k+1} = Π(x_k + a (z − x_k) + (1 − a)(x_k − x_{k−1})),  η = 2ε at
/// first. At a checkpoint η is halved and the climb goes on from the highest point if at most ρ of
/// the steps since the last checkpoint raised the loss (Condition 1), or if η was not halved at the
/// last checkpoint and the highest loss has not risen since (Condition 2). The first checkpoint
/// comes after ⌊0.22 T⌋ steps; each following distance is ⌊0.03 T⌋ shorter, down to ⌊0.06 T⌋, none
/// below 1.
class MomentumSteps {
 public:
  MomentumSteps(const at::Tensor& x, const ApgdStage& stage, const Highest& start);
  at::Tensor next(const at::Tensor& x_adv, const at::Tensor& gradient);
  /// Rows (bool, N) that go on from the highest point; undefined between checkpoints.
  at::Tensor shrink(const at::Tensor& loss, const Highest& highest);

 private:
  at::Tensor conditions(const Highest& highest) const;

  Norm norm_;
  Projection project_;
  double rho_;
  int distance_, shorter_, shortest_;  // between checkpoints
  int made_ = 0;                       // steps since the last checkpoint
  bool first_ = true;
  at::Tensor step_size_;
  at::Tensor before_;                 // x_{k-1}
  at::Tensor previous_loss_;          // f(x_k)
  at::Tensor rises_;                  // since the last checkpoint
  at::Tensor halved_, highest_loss_;  // at the last checkpoint
};

/// L1, arXiv:2103.01208, Sec. 4.1: x_{k+1} = Π(x_k + η u / ‖u‖₁), u = sign(g) on the entries where
/// |g| reaches its order statistic of rank ⌊(1 − κ) D⌋ (from 0, ascending), D entries in all. At
/// first η = ε, κ = 0.2; from a given start κ = s / (1.5 D), s = ‖start − x‖₀. Every
/// max(⌊0.04 T⌋, 1) steps s = ‖highest − x‖₀ (entries above 1e-9) and κ = s / (1.5 D); where s fell
/// below 0.95 of its last value, η = ε and the climb goes on from the highest point, else η shrinks
/// by 1.5, down to ε / 10. compat: Π(x_k + ...) is (x + v) + (p − v) in float32, p the projection
/// of v: entries that fall to 0 keep what rounding leaves, near 1e-8, and count in s.
class SparseSteps {
 public:
  SparseSteps(const at::Tensor& x, const ApgdStage& stage, const Highest& start);
  at::Tensor next(const at::Tensor& x_adv, const at::Tensor& gradient);
  /// As that of MomentumSteps.
  at::Tensor shrink(const at::Tensor& loss, const Highest& highest);

 private:
  at::Tensor changed_entries(const at::Tensor& x_adv) const;

  at::Tensor x_;
  ApgdStage stage_;
  double entries_;  // D
  int distance_;
  int made_ = 0;
  at::Tensor step_size_;
  at::Tensor changed_;  // s at the last checkpoint
  at::Tensor share_;    // κ
};

}  // namespace namid::attacks
