// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/attack.h"
#include "namid/certify/affine_network.h"

namespace namid::certify {

/// The images that a certificate speaks of, one set per sample: the ball of `budget` around x,
/// intersected with the box [0,1] where `box` is set.
struct InputSet {
  attacks::Budget budget;
  bool box = true;
  at::Tensor x;             ///< (N, ...), float64
  at::Tensor lower, upper;  ///< the smallest box around the set
  std::int64_t size() const { return x.size(0); }
};

/// OptionError for a norm other than linf, l2 and l1 and for a radius that does not fit it.
InputSet input_set(const at::Tensor& x, const attacks::Budget& budget, bool box = true);

/// min over the set of Λ x + d, (P): row p of Λ (P, ...) and d (P) belongs to sample sample[p].
///   linf: Λ c − |Λ| r + d with c, r the centre and radius of [lower, upper]: exact
///   l2:   Λ x − ε ‖Λ‖₂ + d;  l1: Λ x − ε ‖Λ‖_∞ + d; with the box the larger of that and the bound
///         of the box around the set, both of which hold
at::Tensor minimum(const InputSet& set, const at::Tensor& lambda, const at::Tensor& d,
                   const at::Tensor& sample);

}  // namespace namid::certify
