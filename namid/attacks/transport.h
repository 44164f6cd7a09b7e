// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "namid/core/options.h"

namespace namid::attacks {

// Local transport of the mass of pixels, for attacks in the Wasserstein distance: Wong et al. 2019
// (arXiv:1902.07906, wong2019), Wu et al. 2020 (arXiv:2008.02883, wu2020).
//
// A plan π (N, C, H, W, K²) holds the mass moved from pixel (h, w) of each channel to its neighbour
// (h + k₁ − ⌊K/2⌋, w + k₂ − ⌊K/2⌋), k = K k₁ + k₂; K may be even. Moving costs the Euclidean
// distance in pixels. Neighbours outside the image are cyclic places that no mass may go to.
//
// Plans made here lie in memory as K² images, whatever their shape says, so that each move of
// neighbouring pixels is contiguous; those that attacks return do not. On the CPU moves are summed,
// gathered and projected by loops of our own (transport_rows.h), elsewhere by whole tensors.

/// Cost of each move, float32 (H, W, K²); kOutside for moves out of the image.
constexpr double kOutside = 1e6;
at::Tensor move_costs(std::int64_t rows, std::int64_t columns, int kernel);

/// K of a plan, and the k of what stays where it is.
int kernel_of(const at::Tensor& plan);
constexpr std::int64_t place_of_rest(int kernel) {
  return (kernel / 2) * kernel + kernel / 2;
}

/// The plan that moves nothing: all mass of x (N, C, H, W) stays.
at::Tensor plan_of_rest(const at::Tensor& x, int kernel);

/// Column sums: the image (N, C, H, W) that a plan makes.
at::Tensor arrived(const at::Tensor& plan, int kernel);

/// The adjoint of `arrived`: d/dπ of a loss from its gradient with respect to the image.
at::Tensor gathered(const at::Tensor& gradient, int kernel);

/// ⟨cost, π⟩ of each sample, float64 (N).
at::Tensor transport_cost(const at::Tensor& plan, const at::Tensor& costs);

/// Mass of each sample, float64 (N).
at::Tensor mass_of(const at::Tensor& x);

/// Projection of each row of v (..., K²) onto { p ≥ 0, Σ p = total }, total (...): sort and
/// threshold.
at::Tensor simplex_projection(const at::Tensor& v, const at::Tensor& total);

/// How a Lagrange multiplier is found by bisection: at most `iterations` halvings; a sample is done
/// where its constraint is met to `gradient_tolerance` or its interval is shorter than
/// `interval_tolerance`.
struct Bisection {
  int iterations = 50;
  double gradient_tolerance = 1e-4;
  double interval_tolerance = 1e-4;
  bool together = false;  ///< all samples stop when all are done, as reference code does
  static constexpr auto fields() {
    using T = Bisection;
    return std::tuple{
        field("dual_iterations", &T::iterations, "halvings of the multiplier's interval",
              at_least(1)),
        field("gradient_tolerance", &T::gradient_tolerance,
              "cost by which the constraint may be missed", at_least(0)),
        field("interval_tolerance", &T::interval_tolerance, "shortest interval", at_least(0)),
        field("together", &T::together, "stop all samples of a batch together")};
  }
};
NAMID_CHECK_FIELDS(Bisection);

/// Projection of a plan onto { row sums x, π ≥ 0, ⟨cost, π⟩ ≤ budget }, by bisection of the
/// multiplier λ of the last: π(λ) = simplex_projection(plan − λ cost, x); of the last interval the
/// end that keeps the budget. budget, λ: float64 (N). dual_projection is plan_at(dual_multiplier).
at::Tensor dual_multiplier(const at::Tensor& plan, const at::Tensor& x, const at::Tensor& costs,
                           const at::Tensor& budget, const Bisection& bisection);
at::Tensor plan_at(const at::Tensor& lambda, const at::Tensor& plan, const at::Tensor& x,
                   const at::Tensor& costs);
at::Tensor dual_projection(const at::Tensor& plan, const at::Tensor& x, const at::Tensor& costs,
                           const at::Tensor& budget, const Bisection& bisection);

/// The plan that nearly maximises ⟨gradient, π⟩ over the same set, made smooth by the entropy of
/// weight `gamma`: π(λ)_p = x_p softmax_k((gradient − λ cost) / gamma), λ by bisection (Wu et al.
/// 2020, Sec. 4).
at::Tensor entropic_oracle(const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& costs,
                           const at::Tensor& budget, double gamma, const Bisection& bisection);

}  // namespace namid::attacks
