// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "namid/run/tensor_file.h"

namespace namid::train {

/// SHA-256 (hexadecimal) of a state dict: for each tensor in order its name, type, shape and bytes
/// (CPU, contiguous). Equal hashes mean bit-identical weights under equal names; where they lie and
/// in which memory order does not matter.
std::string weights_sha256(const TensorMap& state);

}  // namespace namid::train
