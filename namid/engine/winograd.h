// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "namid/engine/cpu_features.h"
#include "namid/engine/epilogue.h"
#include "namid/engine/winograd_tiles.h"
#include "namid/engine/workspace.h"
#include "namid/models/graph.h"

namespace namid::engine {

/// How the tiles of a batch are taken. Speed alone depends on it, no bit of the result does.
struct WinogradSchedule {
  /// Tiles whose V is kept at once: by one thread (blocked: V is to stay in its cache) or by all.
  std::int64_t tiles = 28;
  /// Transforms and products of `tiles` tiles by all threads together, one stage after the other,
  /// so that each thread reads a part of the weights only: few tiles, many channels.
  bool staged = false;
};

/// Convolution 3x3, stride 1 or 2, padding 1, one group, float32, and its gradient by the input, by
/// Winograd's minimal filtering, Lavin & Gray 2016 (arXiv:1509.09308), Sec. 4: F(4x4, 3x3) takes 36
/// multiplications instead of 144; stride 2, in parts of 2x2, 2x1, 1x2 and 1x1 weights
/// (WinogradForm), takes 81.
///
/// The bits of a result depend on its image, the weights and the instruction set, not on the number
/// of threads, the schedule, the batch's size or its other images; AVX-512 and AVX2 agree.
/// The rounding error is about twice that of a direct convolution: 1e-6 to 4e-6 of the largest
/// entry for 64 to 640 channels (docs/winograd.md, where the times are).
class WinogradConvolution {
 public:
  /// weight (O, I, 3, 3), O and I multiples of 16; both strides alike.
  static bool supports(const at::Tensor& weight, const models::Window& window);

  /// input_gradient: the weights are rotated and transposed, so that run() maps gradients by the
  /// output (O channels) to gradients by the input (I channels).
  /// OptionError for instructions that this machine does not have.
  WinogradConvolution(const at::Tensor& weight, bool input_gradient, std::int64_t stride = 1,
                      InstructionSet instructions = best_instruction_set());

  /// Other weights of the same shape: after a training step.
  void repack(const at::Tensor& weight);

  std::int64_t in_channels() const { return in_; }    ///< of what run() reads
  std::int64_t out_channels() const { return out_; }  ///< of what run() writes

  /// x → y, both NHWC and not overlapping, any n, h, w ≥ 1. `extent` is that of the images that
  /// the convolution reads: x (n, h, w, in) → y (n, ⌈h/stride⌉, ⌈w/stride⌉, out); input_gradient:
  /// x (n, ⌈h/stride⌉, ⌈w/stride⌉, in) → y (n, h, w, out). `only`: those tiles of y alone are
  /// written, 4 x 4 pixels from a multiple of 4 on, that have pixels in the rectangle (not empty).
  void run(const float* x, float* y, const Extent& extent, const Epilogue& epilogue,
           Workspace& workspace, const std::optional<models::Rectangle>& only = std::nullopt) const;

  /// Whether this is faster than a direct convolution of such a batch, as measured: it is, but for
  /// a few pixels under many weights, of which it reads four times as many. A caller whose results
  /// must not depend on the batch's size does not ask.
  bool pays(const Extent& extent) const;
  static bool pays(const at::Tensor& weight, std::int64_t stride, const Extent& extent);

  /// The schedule that run() takes for such a batch: by the sizes of the caches, or as set.
  WinogradSchedule schedule(const Extent& extent) const;
  void set_schedule(const WinogradSchedule& schedule) { schedule_ = schedule; }

 private:
  struct Job;
  struct Planes;
  WinogradSchedule schedule_of(std::int64_t tiles) const;
  void run_blocked(const Job& job, std::int64_t tiles, Workspace& workspace) const;
  void run_staged(const Job& job, std::int64_t tiles, Workspace& workspace) const;
  void run_block(const Job& job, const Planes& v, Planes m,
                 const models::Interval& after_this) const;
  void transform(const Job& job, const Planes& v, std::int64_t first, std::int64_t last) const;
  void multiply(const Planes& v, const Planes& m, std::int64_t product, std::int64_t panel,
                const float* next_weights) const;
  void finish(const Job& job, const Planes& m, std::int64_t first, std::int64_t last) const;
  std::int64_t panels() const;
  std::int64_t blocked_tiles() const;
  const float* weights(std::int64_t product, std::int64_t panel) const;

  bool input_gradient_;
  WinogradForm form_;
  WinogradKernels kernels_;
  std::int64_t in_ = 0, out_ = 0;
  Workspace weights_;
  const float* u_ = nullptr;  ///< the transformed weights, in weights_
  std::vector<float> zeros_;  ///< a pixel outside of the image
  std::optional<WinogradSchedule> schedule_;
};

}  // namespace namid::engine
