// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "namid/engine/cpu_features.h"
#include "namid/engine/epilogue.h"
#include "namid/engine/winograd_kernels.h"
#include "namid/engine/winograd_tiles.h"
#include "namid/engine/workspace.h"
#include "namid/models/graph.h"

namespace namid::engine {

/// Convolution of one group, float32, and its gradient by the input, as products of patches and
/// weights (im2col; Chellapilla, Puri & Simard 2006), some dozen pixels at a time, so that patches
/// stay in the cache: for some layers that Winograd's filtering does not do (`pays`).
///
/// The bits of a result depend on its image, the weights and the instruction set, not on the number
/// of threads, the batch's size or its other images; AVX-512 and AVX2 agree.
class Im2colConvolution {
 public:
  /// weight (O, I, kh, kw), O a multiple of 16; no dilation, any stride and padding.
  static bool supports(const at::Tensor& weight, const models::Window& window);

  /// Whether this is faster than a direct convolution, as measured (docs/engine.md): 1x1 that leave
  /// pixels out, in both directions, and gradients by few channels, those of a first layer.
  static bool pays(const at::Tensor& weight, const models::Window& window, bool input_gradient);

  /// OptionError for instructions that this machine does not have.
  Im2colConvolution(const at::Tensor& weight, const models::Window& window,
                    InstructionSet instructions = best_instruction_set());

  /// Other weights of the same shape: after a training step.
  void repack(const at::Tensor& weight);

  /// x (n, h, w, I) → y (n, h', w', O), NHWC and not overlapping; `extent` is that of x.
  void forward(const float* x, float* y, const Extent& extent, const Epilogue& epilogue,
               Workspace& workspace) const;
  /// Gradient by the output (n, h', w', O) → y, the gradient by the input (n, h, w, I); `extent` is
  /// that of y; epilogue.residual is not y, epilogue.bias is not read.
  void input_gradient(const float* gradient, float* y, const Extent& extent,
                      const Epilogue& epilogue, Workspace& workspace) const;

 private:
  struct Block;
  class Patches;
  /// Weights as products read them: [panel][input][outputs of the panel], both padded with zeros.
  struct Matrix {
    std::int64_t in = 0, out = 0;
    Workspace memory = {};
    const float* u = nullptr;
  };

  Extent results(const Extent& extent) const;
  void read_patches(const float* x, const Extent& extent, const Block& block) const;
  void add_patches(const Block& block, const Extent& extent, float* y) const;
  void multiply(const Matrix& matrix, const Block& block) const;
  void pack(Matrix& matrix, const at::Tensor& weight) const;

  models::Window window_;
  WinogradKernels kernels_;
  std::int64_t in_ = 0, out_ = 0;
  Matrix forward_, backward_;
};

}  // namespace namid::engine
