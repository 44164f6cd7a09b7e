// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/certify/intermediate.h"

namespace namid::certify {

/// Lower bounds of rows of the logits, and what they were computed from, which alpha_crown goes on
/// with.
struct CrownBound {
  at::Tensor bounds;  ///< (P)
  Known known;
};

/// CROWN (Zhang et al. 2018, arXiv:1811.00866), with its adaptive choice of the lower slope in
/// every layer: 1 where the triangle's upper part is the larger one (u > −l), else 0.
CrownBound crown(const Problem& problem, const Rows& rows, const IntermediateOptions& options = {});

}  // namespace namid::certify
