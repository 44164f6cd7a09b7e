// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/ops/adaptive_avg_pool2d.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>

#include "namid/models/conv2d.h"

namespace namid::models {

/// A square convolution without bias.
inline Conv2d conv(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride = 1,
                   std::int64_t padding = 0) {
  return Conv2d(
      torch::nn::Conv2dOptions(in, out, kernel).stride(stride).padding(padding).bias(false));
}

/// (N, C, H, W) → (N, C, 1, 1).
inline at::Tensor global_average(const at::Tensor& x) {
  return at::adaptive_avg_pool2d(x, {1, 1});
}

}  // namespace namid::models
