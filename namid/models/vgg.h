// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/models/network.h"

namespace namid::models {

/// VGG-11, 13, 16 or 19 with BatchNorm and one linear layer, after Simonyan & Zisserman 2015
/// (arXiv:1409.1556): 3x3 convolutions with bias, BN, ReLU; max-pooling 2/2 after each of the five
/// stages, odd sizes rounded up (so that 28x28 fits); global average pooling, which changes nothing
/// at 32x32. `width` scales all stages (64). Keys: features.N, linear. OptionError for another
/// depth.
std::shared_ptr<Network> make_vgg(int depth, const NetworkShape& shape);

}  // namespace namid::models
