// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/models/network.h"

namespace namid::models {

/// Two hidden linear layers of `width` (256) units with ReLU, then a linear one, on the flattened
/// sample of any shape. Keys: fc1, fc2, fc3.
std::shared_ptr<Network> make_mlp(const NetworkShape& shape);

}  // namespace namid::models
