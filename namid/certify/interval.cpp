// SPDX-License-Identifier: Apache-2.0
#include "namid/certify/interval.h"

namespace namid::certify {

at::Tensor interval(const Problem& problem, const Rows& rows, const IntermediateOptions& options) {
  // A ReLU bounded by constants ends the backward pass: what remains is the interval bound of the
  // affine layers behind it, with the rows merged into them.
  const auto known = intermediate_bounds(problem, Slopes::constant, options);
  return bound_rows(problem, rows, known.relaxations, options.block_bytes);
}

}  // namespace namid::certify
