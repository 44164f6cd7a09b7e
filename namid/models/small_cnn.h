// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/models/network.h"

namespace namid::models {

/// With w = width (32): conv 3x3 to w, BN, ReLU, max-pool 2; conv 3x3 to 2w, BN, ReLU, max-pool 2;
/// linear 4w, ReLU; linear. Convolutions are padded and without bias. Images of at least 4x4.
/// Keys: conv1, bn1, conv2, bn2, fc1, fc2.
std::shared_ptr<Network> make_small_cnn(const NetworkShape& shape);

}  // namespace namid::models
