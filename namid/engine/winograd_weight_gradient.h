// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "namid/engine/cpu_features.h"
#include "namid/engine/winograd_tiles.h"
#include "namid/engine/workspace.h"

namespace namid::engine {

/// Gradient by the weights of the convolutions that WinogradConvolution does, by the transpose of
/// its filtering: V of the images and the transformed gradients M' of a tile give those of the 36
/// matrices, U' = Σ_tiles Vᵀ M', and Gᵀ U' G is the result. 36 multiplications a tile instead of
/// 144, 81 at stride 2.
///
/// The bits of a result depend on its batch and the instruction set, not on the number of threads;
/// AVX-512 and AVX2 agree. Rounding errs as a direct convolution's does.
class WinogradWeightGradient {
 public:
  /// in, out: channels, multiples of 16. OptionError for instructions that this machine does not
  /// have.
  WinogradWeightGradient(std::int64_t in, std::int64_t out, std::int64_t stride = 1,
                         InstructionSet instructions = best_instruction_set());

  /// x (n, h, w, in) and gradient (n, ⌈h/stride⌉, ⌈w/stride⌉, out), NHWC → weight_gradient (out,
  /// in, 3, 3), float32 of any strides, which is overwritten; `extent` is that of x.
  void run(const float* x, const float* gradient, const Extent& extent,
           const at::Tensor& weight_gradient, Workspace& workspace) const;

 private:
  struct Job;
  struct Chunk;
  void transform(const Job& job, const Chunk& chunk, std::int64_t first, std::int64_t last) const;
  void multiply(const Chunk& chunk, std::int64_t item, float* u) const;

  WinogradForm form_;
  WinogradKernels kernels_;
  std::int64_t in_, out_;
  std::vector<float> zeros_;  ///< a pixel outside of the image
};

}  // namespace namid::engine
