// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "namid/attacks/draws.h"
#include "namid/attacks/projection.h"
#include "namid/attacks/square.h"
#include "namid/attacks/square_eta.h"
#include "namid/models/rectangle.h"

namespace namid::attacks {

/// The sampling distributions of the Square attack (square.h) for some rows of a batch. All numbers
/// of a proposal are drawn at once: of the start at iteration 0, of proposal i at iteration i + 1.
class SquareSampler {
 public:
  /// x: float32 (N, ...), contiguous; ids: one per row. `context` must outlive the object.
  SquareSampler(const at::Tensor& x, SampleIds ids, std::uint32_t epoch,
                const SquareOptions& options, const Context& context);

  /// The start and a change of `best`, both (N, ...) inside ball and box.
  at::Tensor start() const;
  at::Tensor proposal(const at::Tensor& best, int iteration) const;

  /// Whether all proposals of an iteration differ from `best` in one rectangle alone: L∞ windows
  /// that are shared. (L2 and L1 rescale or project what lies outside.)
  bool shares_window() const;
  /// That rectangle, if so.
  models::Rectangle shared_window(int iteration) const;

 private:
  at::Tensor start_tiles() const;
  at::Tensor tile_numbers(std::int64_t tiles) const;
  at::Tensor proposal_numbers(std::uint32_t iteration) const;
  at::Tensor shared_numbers(std::int64_t count, std::uint32_t iteration) const;
  WindowSize window(int iteration) const;
  at::Tensor first_places(const at::Tensor& uniform, std::int64_t size, std::int64_t length) const;
  at::Tensor window_index(const at::Tensor& corner, const WindowSize& window) const;
  at::Tensor add_square(const at::Tensor& best, const at::Tensor& numbers,
                        const WindowSize& window) const;
  at::Tensor move_mass(const at::Tensor& best, const at::Tensor& numbers,
                       const WindowSize& window) const;
  /// Whether window 1 is to have its norm inside the box: L2, not in the published form.
  bool fills_box() const;
  at::Tensor unused_squares(const at::Tensor& length) const;
  at::Tensor shifted(at::Tensor delta) const;

  at::Tensor x_;  // (N, C, H W)
  std::vector<std::int64_t> shape_;
  ImageSize size_;
  SquareOptions options_;
  Draws own_, batch_;
  Projection project_;
};

}  // namespace namid::attacks
