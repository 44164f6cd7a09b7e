// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/certify/intermediate.h"
#include "namid/core/options.h"

namespace namid::certify {

struct AlphaCrownOptions {
  int iterations = 100;
  double learning_rate = 0.1;
  double decay = 0.98;
  int patience = 10;
  static constexpr auto fields() {
    using T = AlphaCrownOptions;
    return std::tuple{
        field("iterations", &T::iterations, "alpha-crown: steps of Adam on the slopes",
              at_least(0)),
        field("learning_rate", &T::learning_rate, "alpha-crown: of the first step", above(0)),
        field("decay", &T::decay, "alpha-crown: factor of the learning rate per step",
              between(0, 1)),
        field("patience", &T::patience,
              "alpha-crown: a row is given up after so many steps without progress", at_least(1))};
  }
};
NAMID_CHECK_FIELDS(AlphaCrownOptions);

/// Lower bounds (P) of rows of the logits by α-CROWN (Xu et al. 2021, arXiv:2011.13824): any lower
/// slope in [0,1] of an unstable ReLU gives a valid bound, so those of each row are optimised for
/// it: started at the relaxations of `known`, which are CROWN's, Adam (0.9, 0.999, 1e-8) with the
/// learning rate times `decay` per step ascends the bound, clamped to [0,1] after each step; the
/// best bound seen is returned. A row stops once it exceeds `enough` (P), or after `patience` steps
/// that gained less than 1e-6 of its size. The intermediate bounds of `known` stay. Rows do not
/// influence each other but by rounding.
at::Tensor alpha_crown(const Problem& problem, const Rows& rows, const Known& known,
                       const at::Tensor& enough, const AlphaCrownOptions& options = {},
                       std::int64_t block_bytes = std::int64_t{256} << 20);

}  // namespace namid::certify
