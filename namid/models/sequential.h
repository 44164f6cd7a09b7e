// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/models/layer_list.h"
#include "namid/models/network.h"

namespace namid::models {

/// A plain stack of layers whose input sizes are inferred. Keys are those of nn.Sequential with the
/// same layers ("0.weight"; every layer counts): conv = Conv2d, linear = Linear, batchnorm =
/// BatchNorm2d or, after flatten, BatchNorm1d, relu = ReLU, maxpool = MaxPool2d, avgpool =
/// AvgPool2d, global_avgpool = AdaptiveAvgPool2d(1), flatten = Flatten. OptionError names the layer
/// that does not fit its input, or the last one if it does not give num_classes numbers. `width` is
/// refused.
std::shared_ptr<Network> make_sequential(const std::vector<LayerSpec>& layers,
                                         const NetworkShape& shape);

}  // namespace namid::models
