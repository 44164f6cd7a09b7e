// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/models/network.h"

namespace namid::models {

/// ResNet for small images, He et al. 2016 (arXiv:1512.03385), Sec. 3.3: depth 18 or 34 with basic
/// blocks, 50, 101 or 152 with bottlenecks. A 3x3 stride-1 stem without pooling; four stages of
/// width (64), twice, four and eight times that, strides 1/2/2/2; global average pooling; linear.
/// Stem padding 0 is the released code's (32 → 30), 1 the usual CIFAR form.
/// Layer::internal is the output of layer3, Layer::internal_last that of layer4.
/// OptionError for another depth.
std::shared_ptr<Network> make_resnet(int depth, int stem_padding, const NetworkShape& shape);

/// The pre-activation form of ResNet-18, He et al. 2016 (arXiv:1603.05027), as used for CIFAR in
/// adversarial training: 3x3 stem with padding 1, BN and ReLU before each convolution and once more
/// (`bn`) before pooling. Same stages and layers as make_resnet.
std::shared_ptr<Network> make_preact_resnet18(const NetworkShape& shape);

}  // namespace namid::models
