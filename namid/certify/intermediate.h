// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/certify/relaxation.h"
#include "namid/certify/rounding.h"

namespace namid::certify {

/// What every method bounds: a network, images, and how rounding is kept out.
struct Problem {
  const AffineNetwork& network;
  const InputSet& set;
  const Rounding& rounding;
};

struct IntermediateOptions {
  /// Of the interval bound and the backward bound of a neuron keep the tighter side each; false:
  /// the backward bound alone, of every neuron, as in the papers. (A tighter interval can loosen
  /// the bound of the next layer, since slopes follow from it.)
  bool intersect = true;
  std::int64_t block_bytes = std::int64_t{256} << 20;  ///< of the rows computed together, about
};

/// What is known of the layers below the last: bounds per layer (filled where a ReLU reads it), and
/// the relaxation of each ReLU layer.
struct Known {
  std::vector<Bounds> bounds;
  Relaxations relaxations;
};

/// Bounds of every pre-activation, layer by layer. Interval arithmetic first: c' = W c + b,
/// r' = |W| r, l = c' − r', u = c' + r', sums of branches added, ReLU clamped (Gowal et al. 2018,
/// arXiv:1810.12715, Eq. 6-7). It is exact, and stays, where there is one layer between images and
/// ReLU and the norm is linf. Elsewhere and for slopes other than constant, neurons that it leaves
/// unstable get backward bounds of themselves and of their negative, rows of all samples together
/// in blocks of `block_bytes`. All are widened by the rounding margin before they are used.
Known intermediate_bounds(const Problem& problem, Slopes slopes,
                          const IntermediateOptions& options = {});

/// lower_bound of rows of the last layer in blocks of about `block_bytes`.
at::Tensor bound_rows(const Problem& problem, const Rows& rows, const Relaxations& relaxations,
                      std::int64_t block_bytes);

/// Rows that fit `bytes` together, at least one.
std::int64_t rows_within(const AffineNetwork& network, std::int64_t bytes);

}  // namespace namid::certify
