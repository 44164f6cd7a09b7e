// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "namid/run/tensor_file.h"

namespace namid::train {

/// Where in a run something happened, for messages. Both count from 1.
struct Position {
  std::int64_t step = 0;
  int epoch = 0;
};

/// Checks losses (scalars by name) and the gradients of `parameters` after the backward pass,
/// scales the gradients so that their joint L2 norm is at most `clip` (0: leaves them) and returns
/// the norm before that. One transfer from the device. NumericError names step, epoch and the loss
/// or the first gradient that is not finite, and the first weight that was not finite already.
double check_and_clip(const TensorMap& losses, const TensorMap& parameters, double clip,
                      const Position& position);

/// NumericError with step, epoch, `what` and the name of the first tensor that holds NaN or
/// infinity. Integer tensors are passed over.
void check_finite(const TensorMap& tensors, const std::string& what, const Position& position);

}  // namespace namid::train
