// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>

#include "namid/core/options.h"
#include "namid/engine/elementwise.h"
#include "namid/engine/im2col.h"
#include "namid/engine/memory.h"
#include "namid/engine/plan.h"
#include "namid/engine/winograd.h"

namespace namid::engine {

/// How convolutions are computed. automatic: by Winograd's filtering or im2col where it pays, else
/// direct; winograd: where WinogradConvolution can, else direct.
enum class Kernel { automatic, direct, winograd };

/// The convolution of a step, in both directions. Which kernel `automatic` takes depends on the
/// shapes of step and batch and on the instructions that this machine has, on nothing that was
/// timed: a run that goes on must compute as the run before it did.
class Convolution {
 public:
  /// `input`: the step whose value is read.
  Convolution(const Step& step, const Step& input, Kernel kernel);

  /// x (N, H, W, I) → (N, H', W', O); epilogue.bias is not read: the step has one.
  at::Tensor forward(const at::Tensor& x, Epilogue epilogue, Memory& memory) const;
  /// Whether so many images are convolved in tiles, each of which can be computed alone.
  bool by_tiles(std::int64_t images) const;
  /// As forward, into y: of it those tiles alone that have pixels in `only`, which is not empty.
  void forward_tiles(const at::Tensor& x, const at::Tensor& y, const models::Rectangle& only,
                     Epilogue epilogue, Memory& memory) const;
  /// Gradient by the output (N, H', W', O) → by the input (N, H, W, I).
  at::Tensor input_gradient(const at::Tensor& gradient, Epilogue epilogue, Memory& memory) const;

  /// Other weights of the same shape: after a training step.
  void repack(const Step& step);

  bool uses_winograd() const { return forward_.has_value(); }
  bool uses_im2col() const { return im2col_.has_value(); }

 private:
  at::Tensor finished(at::Tensor y, const Epilogue& epilogue) const;
  /// Where it is possible and, unless it was asked for, faster.
  bool takes_winograd(const Extent& extent) const;

  Step step_;
  Kernel kernel_;
  std::array<std::int64_t, 3> input_;  // height, width, channels
  std::optional<WinogradConvolution> forward_, backward_;
  std::optional<Im2colConvolution> im2col_;  ///< instead of these, backwards
  bool im2col_forward_ = false;              ///< and forwards
};

}  // namespace namid::engine

namespace namid {
template <>
struct EnumNames<engine::Kernel> {
  static constexpr std::array kNames{"auto", "direct", "winograd"};
};
}  // namespace namid
