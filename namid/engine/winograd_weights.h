// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "namid/engine/winograd_kernels.h"

namespace namid::engine {

/// Where the weights lie for which (output channel, input channel, 3, 3): distances in floats.
struct WeightStrides {
  std::int64_t out = 0, in = 0, row = 0, column = 0;
};

/// U = G g Gᵀ of the `width` output channels of one panel, in float64 and rounded once:
/// [plane][input channel][output channel].
void transform_weights(WinogradForm form, const float* weight, const WeightStrides& strides,
                       std::int64_t in_channels, std::int64_t width, float* u);

}  // namespace namid::engine
