// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "namid/models/graph.h"

namespace namid::engine {

/// What a step computes before its epilogue:
///   images       the images, or scale_c x + shift_c of them: input normalisation
///   convolution, linear   with weight and bias; BatchNorm behind them is folded in
///   pointwise    scale_c x + shift_c, or x itself: BatchNorm, ReLU and sums that follow no product
///   avg_pool, max_pool    windows
///   flatten      (C, H, W) → (C·H·W), in the order of NCHW
enum class StepOp { images, convolution, linear, pointwise, avg_pool, max_pool, flatten };

/// A step and its epilogue: + residual, then ReLU. Values are NHWC; a vector has height and
/// width 1.
struct Step {
  StepOp op = StepOp::images;
  std::string name;                          ///< of the graph's node
  std::size_t input = 0;                     ///< the step whose value is read
  std::optional<std::size_t> residual = {};  ///< the step whose value is added
  bool relu = false;
  std::int64_t channels = 0, height = 1, width = 1;  ///< of the value of one sample
  models::Window window = {};
  at::Tensor weight =
      {};  ///< float32: (O, I / groups, kh, kw), (O, I) or scale (C); may be undefined
  at::Tensor bias = {};  ///< float32 (C); may be undefined: 0
  std::int64_t size() const { return channels * height * width; }
};

/// Steps in an order in which inputs come first; step 0 is `images`, the last one the logits.
struct Plan {
  std::vector<Step> steps;
};

/// Fuses what a graph computes. Folding multiplies in float64 and rounds once: logits differ from
/// the graph's by rounding alone. OptionError for values that are neither images nor vectors.
Plan make_plan(const models::Graph& graph);

}  // namespace namid::engine
