// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "namid/attacks/transport.h"
#include "namid/core/options.h"

namespace namid::attacks {

/// How the entropic projection is found.
struct Sinkhorn {
  double lambda = 3000;
  int iterations = 500;
  double tolerance = 1e-4;
  static constexpr auto fields() {
    using T = Sinkhorn;
    return std::tuple{
        field("lambda", &T::lambda,
              "weight of the distance against the entropy; the paper: 1000 on MNIST, 3000 on "
              "CIFAR-10, 100000 on ImageNet",
              above(0)),
        field("sinkhorn_iterations", &T::iterations, "most iterations of a projection",
              at_least(1)),
        field("sinkhorn_tolerance", &T::tolerance,
              "a sample is done where the dual rises by less than this much of 1 + |dual|",
              at_least(0))};
  }
};
NAMID_CHECK_FIELDS(Sinkhorn);

/// An entropic projection; masses are those of images divided by the mass of x.
struct SinkhornPoint {
  at::Tensor plan;    ///< Π, float64 (N, C, H, W, K²), row sums x / mass; cost about epsilon
  at::Tensor image;   ///< z = y − β / λ, float64 (N, C, H, W), the column sums at the solution
  at::Tensor primal;  ///< float64 (N): the objective at (Π, its column sums)
  at::Tensor dual;    ///< float64 (N)
  at::Tensor psi;     ///< float64 (N): multiplier of the cost
  at::Tensor finite;  ///< bool (N); false: something overflowed, and the row means nothing
};

/// Entropic projection of y onto the Wasserstein ball around x, Wong et al. 2019 (arXiv:1902.07906,
/// wong2019), Sec. 4, with X = x / mass and Y = y / mass of x:
///   min over z and Π of  λ/2 ‖Y − z‖² + Σ Π log Π,   rows of Π: X, columns: z, ⟨cost, Π⟩ ≤ epsilon
/// by block ascent on the dual αᵀX + βᵀY − ‖β‖²/(2λ) − ψ epsilon − ΣΠ, Π = exp(α + β − ψ cost − 1):
///   α ← log X − log Σ_k exp(β − ψ cost − 1)
///   β ← λY − W(λ exp(λY) S),  S: column sums of exp(α − ψ cost − 1), W: lambert_w.h, in logarithms
///   ψ ← ψ − t g'/g'',  Newton with t = 1, ½, … until ψ ≥ 0 (Algorithm 1)
/// from β = 0, ψ = 1, each sample until it is done, and α once more, so that the rows are exact.
/// x: float32 (N, C, H, W) ≥ 0; y likewise, of any sign; costs: move_costs.
SinkhornPoint sinkhorn_projection(const at::Tensor& y, const at::Tensor& x, const at::Tensor& costs,
                                  double epsilon, const Sinkhorn& options = {});

}  // namespace namid::attacks
