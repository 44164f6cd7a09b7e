// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/unbounded.h"

namespace namid::attacks {

AttackResult spatial_grid_of(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                             const Unbounded<SpatialGridOptions>& options, const Context& context) {
  const auto found = spatial_grid(model, x, y, options.attack, context);
  return {.x_adv = found.x_adv,
          .success = found.success,
          .step = found.cell + 1,
          .loss = found.loss,
          .passes = found.passes};
}

AttackResult spatial_flow_of(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                             const Unbounded<SpatialFlowOptions>& options, const Context& context) {
  const auto found = spatial_flow(model, x, y, options.attack, context);
  return {.x_adv = found.x_adv,
          .success = found.success,
          .step = at::zeros_like(y),
          .loss = found.loss,
          .passes = found.passes};
}

}  // namespace namid::attacks
