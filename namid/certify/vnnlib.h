// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace namid::certify {

/// The question whether an image of a box is classified otherwise than `label`, in the VNN-LIB form
/// of VNN-COMP, which complete verifiers read: X_i are the pixels in C order with lower[i] ≤ X_i ≤
/// upper[i] (float64, any shape), Y_t the logits, and Y_t ≥ Y_label for some t is asked for.
/// Answer "unsat": certified. `comment` becomes the first line.
std::string vnnlib(const at::Tensor& lower, const at::Tensor& upper, std::int64_t label,
                   std::int64_t classes, const std::string& comment);

}  // namespace namid::certify
