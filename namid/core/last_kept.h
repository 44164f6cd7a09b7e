// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdlib>

namespace namid {

/// The number farthest from `inside` in the direction of `outside` that is not excluded. `inside`
/// is not excluded; beyond some number `excluded` holds up to `outside`, both included.
template <class F>
std::int64_t last_kept(const F& excluded, std::int64_t inside, std::int64_t outside) {
  if (!excluded(outside)) return outside;
  while (std::abs(outside - inside) > 1) {
    const auto middle = inside + (outside - inside) / 2;
    (excluded(middle) ? outside : inside) = middle;
  }
  return inside;
}

}  // namespace namid
