// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace namid::engine {

/// What follows a convolution in the same pass over its output, in this order; all of it optional.
/// Tensors are NHWC, the channel fastest; bit i of a bit set is bit i % 8 of byte i / 8, i the flat
/// NHWC index.
///
///   y = convolution + bias_c + residual
///   mask_bits   y = bit ? y : +0     the gradient through a ReLU whose signs were kept
///   relu        y = max(y, 0); relu_bits then receives whether y > 0
struct Epilogue {
  const float* bias = nullptr;      ///< (channels)
  const float* residual = nullptr;  ///< of y's shape; may be y itself
  bool relu = false;
  std::uint8_t* relu_bits = nullptr;  ///< written where relu is set; n·h·w·channels / 8 bytes
  const std::uint8_t* mask_bits = nullptr;
};

}  // namespace namid::engine
