// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "namid/run/tensor_file.h"

namespace namid::train {

/// The parameters under their names in the state dict, in the order of `parameters`. Their tensors
/// are found by the memory that both share. OptionError where a parameter is not in the state: its
/// training could not be saved.
TensorMap named_parameters(const TensorMap& state, const std::vector<at::Tensor>& parameters);

/// `prefix` + name for every entry.
TensorMap with_prefix(const std::string& prefix, const TensorMap& tensors);
/// The entries whose names start with `prefix`, without it.
TensorMap without_prefix(const std::string& prefix, const TensorMap& tensors);

}  // namespace namid::train
