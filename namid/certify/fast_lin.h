// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/certify/intermediate.h"

namespace namid::certify {

/// Lower bounds (P) of rows of the logits by Fast-Lin (Weng et al. 2018, arXiv:1804.09699, Theorem
/// 3.5): both bounds of an unstable ReLU have the slope u / (u − l), in the intermediate layers
/// too. Without `intersect` and box this is the bound of the dual network of Wong & Kolter
/// (arXiv:1711.00851, Theorem 1).
at::Tensor fast_lin(const Problem& problem, const Rows& rows,
                    const IntermediateOptions& options = {});

}  // namespace namid::certify
