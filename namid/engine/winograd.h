// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

#include "namid/engine/cpu_features.h"
#include "namid/engine/epilogue.h"
#include "namid/engine/workspace.h"
#include "namid/models/graph.h"

namespace namid::engine {

/// Images of a batch, NHWC: how many, and their height and width.
struct Extent {
  std::int64_t n = 1, height = 1, width = 1;
};

/// Convolution 3x3, stride 1, padding 1, one group, float32, by Winograd's minimal filtering
/// F(4x4, 3x3).
class WinogradConvolution {
 public:
  /// weight (O, I, 3, 3), O and I multiples of 16.
  static bool supports(const at::Tensor& weight, const models::Window& window);

  /// input_gradient: the weights are rotated and transposed, so that run() maps gradients by the
  /// output (O channels) to gradients by the input (I channels).
  WinogradConvolution(const at::Tensor& weight, bool input_gradient,
                      InstructionSet instructions = best_instruction_set());

  /// Other weights of the same shape: after a training step.
  void repack(const at::Tensor& weight);

  std::int64_t in_channels() const { return in_; }    ///< of what run() reads
  std::int64_t out_channels() const { return out_; }  ///< of what run() writes

  /// x (n, h, w, in) → y (n, h, w, out), both NHWC and not overlapping. Any n, h, w ≥ 1.
  void run(const float* x, float* y, const Extent& extent, const Epilogue& epilogue,
           Workspace& workspace) const;

 private:
  bool input_gradient_;
  InstructionSet instructions_;
  std::int64_t in_ = 0, out_ = 0;
  at::Tensor weight_;
};

}  // namespace namid::engine
