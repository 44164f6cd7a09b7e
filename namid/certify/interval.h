// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/certify/intermediate.h"

namespace namid::certify {

/// Lower bounds (P) of rows of the logits by interval arithmetic: Gowal et al. 2018
/// (arXiv:1810.12715), Eq. 6-8. The rows are merged into the last affine layers first (Sec. 3,
/// "elision of the last layer"): bounding the difference of two logits is tighter than bounding
/// both.
at::Tensor interval(const Problem& problem, const Rows& rows,
                    const IntermediateOptions& options = {});

}  // namespace namid::certify
