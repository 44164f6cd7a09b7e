// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/certify/backward.h"

namespace namid::certify {

/// How far bounds computed in float64 can be from those of exact arithmetic [namid's own].
/// Magnitudes S by the network of absolute values: S = max(|lower|, |upper|) of the images, then
/// |W| S + |b| (of everything that was folded into the layer), unchanged by ReLUs, added by sums.
/// With m = Σ (fan-in + 6) over the layers up to one, j the affine layers and sums among them, and
/// γ = m 2⁻⁵³ / (1 − m 2⁻⁵³), a bound of that layer is off by at most 2 (j + 1) γ S: slopes lie in
/// [0,1] and the intercepts of each ReLU layer add at most one S.
struct Rounding {
  std::vector<at::Tensor> sizes;     ///< S per layer, (N, *shape)
  std::vector<std::int64_t> terms;   ///< m per layer
  std::vector<std::int64_t> depths;  ///< j per layer

  /// 2 (j + 1) γ S of the layer, (N, *shape).
  at::Tensor margin(std::size_t layer) const;
  /// 2 (j + 1) γ |Λ| S of rows of the last layer, (P): what a bound has to exceed.
  at::Tensor threshold(const Rows& rows) const;
  /// m 2⁻²⁴ |Λ| S, (P): about what a forward in float32 can be off by.
  at::Tensor float32_slack(const Rows& rows) const;

 private:
  double factor(std::size_t layer) const;
  at::Tensor row_sizes(const Rows& rows) const;
};

Rounding rounding_of(const AffineNetwork& network, const InputSet& set);

}  // namespace namid::certify
