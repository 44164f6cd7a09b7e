// SPDX-License-Identifier: Apache-2.0
#include "namid/certify/fast_lin.h"

namespace namid::certify {

at::Tensor fast_lin(const Problem& problem, const Rows& rows, const IntermediateOptions& options) {
  const auto known = intermediate_bounds(problem, Slopes::fast_lin, options);
  return bound_rows(problem, rows, known.relaxations, options.block_bytes);
}

}  // namespace namid::certify
