// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "namid/engine/winograd_kernels.h"

namespace namid::engine {

/// Images of a batch, NHWC: how many, and their height and width.
struct Extent {
  std::int64_t n = 1, height = 1, width = 1;
};

/// The tiles of 4x4 pixels of the result, image by image and row by row; those at the lower and
/// right edge may hang over.
class Tiles {
 public:
  explicit Tiles(const Extent& extent);
  std::int64_t count() const { return extent_.n * down_ * across_; }

  /// Where tile `index` reads: pixels of x (n, h, w, channels); outside of the image `zeros`, which
  /// has as many channels.
  void source(std::int64_t index, const float* x, std::int64_t channels, const float* zeros,
              InputTile& tile) const;
  /// Where it writes: offset, height, width and strides, but for the first channel's offset.
  void target(std::int64_t index, std::int64_t channels, OutputTile& tile) const;

 private:
  Extent extent_;
  std::int64_t down_, across_;
};

}  // namespace namid::engine
