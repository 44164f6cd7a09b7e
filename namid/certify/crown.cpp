// SPDX-License-Identifier: Apache-2.0
#include "namid/certify/crown.h"

namespace namid::certify {

CrownBound crown(const Problem& problem, const Rows& rows, const IntermediateOptions& options) {
  auto known = intermediate_bounds(problem, Slopes::crown, options);
  auto bounds = bound_rows(problem, rows, known.relaxations, options.block_bytes);
  return {std::move(bounds), std::move(known)};
}

}  // namespace namid::certify
