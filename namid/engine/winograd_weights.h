// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "namid/engine/winograd_kernels.h"

namespace namid::engine {

/// Where the weights lie for which (output channel, input channel, 3, 3): distances in floats.
struct WeightStrides {
  std::int64_t out = 0, in = 0, row = 0, column = 0;
};

/// U = G g Gᵀ of 16 output channels, in float64 and rounded once:
/// [plane][input channel][16 output channels], planes `plane` floats apart.
void transform_weights(const float* weight, const WeightStrides& strides, std::int64_t in_channels,
                       float* u, std::int64_t plane);

}  // namespace namid::engine
