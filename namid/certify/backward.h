// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "namid/certify/input_set.h"

namespace namid::certify {

/// Linear bounds of a ReLU layer for one interval of its input per neuron (N, *shape):
/// lower_slope y + lower_intercept ≤ relu(y) ≤ upper_slope y + upper_intercept.
struct Relaxation {
  at::Tensor lower_slope, upper_slope;          ///< both undefined: 0, a constant bound
  at::Tensor lower_intercept, upper_intercept;  ///< lower undefined: 0
};
/// One per layer of a network, those of ReLUs alone filled.
using Relaxations = std::vector<Relaxation>;

/// Linear functions of a layer's value: row p is lambda[p] · value of sample sample[p].
struct Rows {
  at::Tensor lambda;  ///< (P, *shape of the layer)
  at::Tensor sample;  ///< int64 (P)
  std::int64_t size() const { return sample.size(0); }
};

/// A lower bound (P) over the input set of each row of `layer`: the backward bound of CROWN
/// (Zhang et al. 2018, arXiv:1811.00866, Theorem 3.2), for sums of branches too (the Λ of all
/// readers of a value are added). From `layer` down to the images, Λ⁺ = max(Λ,0), Λ⁻ = min(Λ,0):
///   affine: d ← d + Λ b, Λ ← Λ W
///   ReLU:   d ← d + Λ⁺ · lower_intercept + Λ⁻ · upper_intercept,
///           Λ ← Λ⁺ ∘ lower_slope + Λ⁻ ∘ upper_slope
/// and then `minimum` over the set. `slopes` has lower slopes (P, *shape) of the rows' own for
/// those ReLU layers where it is defined, and may be empty. Differentiable in `slopes`.
at::Tensor lower_bound(const AffineNetwork& network, std::size_t layer, const Rows& rows,
                       const Relaxations& relaxations, const InputSet& set,
                       const std::vector<at::Tensor>& slopes = {});

}  // namespace namid::certify
