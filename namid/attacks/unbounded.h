// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/spatial_flow.h"
#include "namid/attacks/spatial_grid.h"

namespace namid::attacks {

/// Attacks that no norm bounds under the options and the signature of the others (registry.h).
/// `budget` is there for those who ask an attack for it, and no option.
template <class Options>
struct Unbounded {
  Budget budget = {Norm::none, 0};
  Options attack = {};
  static constexpr auto fields() { return std::tuple{field("attack", &Unbounded::attack, "")}; }
};

/// One run.
template <class Options>
constexpr int rounds(const Unbounded<Options>& /*options*/, std::int64_t /*classes*/ = 0) {
  return 1;
}

/// `spatial_grid`: step is the number of the cell from 1, 0 where x is returned.
AttackResult spatial_grid_of(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                             const Unbounded<SpatialGridOptions>& options, const Context& context);

/// `spatial_flow`: step is 0.
AttackResult spatial_flow_of(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                             const Unbounded<SpatialFlowOptions>& options, const Context& context);

}  // namespace namid::attacks
