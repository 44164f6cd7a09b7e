// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>

#include "namid/attacks/attack.h"

namespace namid::eval {

/// The smallest radius of a ball that holds the box [0,1]^D around each of its points, D = entries:
/// linf 1, l2 √D, l1 D. As budget of a search it leaves the search without a bound.
inline double box_radius(attacks::Norm norm, std::int64_t entries) {
  const auto d = static_cast<double>(entries);
  return norm == attacks::Norm::linf ? 1 : norm == attacks::Norm::l2 ? std::sqrt(d) : d;
}

}  // namespace namid::eval
