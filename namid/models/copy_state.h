// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/run/tensor_file.h"

namespace namid::models {

/// Copies the values of `state` into the tensors of `own`, in place. Strict: DataError lists the
/// entries that are missing, unknown, or of another shape or dtype, before anything is copied.
void copy_state(const TensorMap& own, const TensorMap& state);

/// "(64, 3, 3, 3)".
std::string shape_text(at::IntArrayRef sizes);

}  // namespace namid::models
