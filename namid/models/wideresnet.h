// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/models/network.h"

namespace namid::models {

/// Wide ResNet, Zagoruyko & Komodakis 2016 (arXiv:1605.07146), depth 6n + 4, without dropout: 3x3
/// stem to 16 channels (`width`), three groups of n pre-activation blocks of 1, 2 and 4 times
/// 16 * widen channels, BN, ReLU, global average pooling, linear. Where a block changes its
/// channels, the activated tensor feeds the shortcut too. Convolutions start at N(0, sqrt(2 / (k *
/// k * out))). Layer::internal is the output of block2, Layer::internal_last that of block3 (before
/// BN). `with_sub_block`: also register the released code's `sub_block1`, which forward never uses.
/// OptionError unless depth is 10, 16, 22, ... and widen at least 1.
std::shared_ptr<Network> make_wideresnet(int depth, int widen, bool with_sub_block,
                                         const NetworkShape& shape);

}  // namespace namid::models
