// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "namid/engine/ahead.h"
#include "namid/engine/winograd_kernels.h"
#include "namid/models/rectangle.h"

namespace namid::engine {

/// Images of a batch, NHWC: how many, and the height and width of what the convolution reads, in
/// both directions (its gradient by the input writes as much).
struct Extent {
  std::int64_t n = 1, height = 1, width = 1;
};

/// Pixels of a tile of a forward convolution's result, along one direction.
inline constexpr std::int64_t kForwardTile = 4;

/// The tiles of what run() writes, image by image and row by row; those at the lower and right edge
/// may hang over. `only`: of each image those that have pixels in the rectangle.
class Tiles {
 public:
  Tiles(const Extent& extent, WinogradForm form,
        const std::optional<models::Rectangle>& only = std::nullopt);
  std::int64_t count() const { return n_ * down_ * across_; }

  /// Where tile `index` reads: pixels of x, NHWC; outside of the image `zeros`, which has as many
  /// channels.
  void source(std::int64_t index, const float* x, std::int64_t channels, const float* zeros,
              InputTile& tile) const;
  /// The pixels that it writes, as if they were to be read: y, NHWC; outside of the image `zeros`.
  void results(std::int64_t index, const float* y, std::int64_t channels, const float* zeros,
               InputTile& tile) const;
  /// Where it writes: offset, height, width and strides, but for the first channel's offset.
  void target(std::int64_t index, std::int64_t channels, OutputTile& tile) const;

  /// What tiles [first, last) read of x and the tiles before them did not.
  void read_ahead(std::int64_t first, std::int64_t last, const float* x, std::int64_t channels,
                  Ahead& ahead) const;
  /// What they write, or read beside it, of y.
  void write_ahead(std::int64_t first, std::int64_t last, const float* y, std::int64_t channels,
                   Ahead& ahead) const;

 private:
  struct Size {
    std::int64_t height, width;
  };
  /// `side`·`side` pixels from (top, left) of an image of this size.
  struct Patch {
    std::int64_t image, top, left, side;
  };
  static void pixels(const Patch& patch, const Size& size, const float* x, std::int64_t channels,
                     const float* zeros, InputTile& tile);
  /// Tiles' pixels along one direction: from `first` + `step` times the tile on, `pixels` of them,
  /// of which the tile before has `shared`.
  struct Stride {
    std::int64_t first, step, pixels, shared;
  };
  void rows_ahead(std::int64_t first, std::int64_t last, const Stride& stride, const Size& size,
                  const float* values, std::int64_t channels, Ahead& ahead) const;
  std::int64_t n_;
  Size read_, written_;                           // of an image, in pixels
  std::int64_t pixels_, first_, step_, results_;  // of a tile, along one direction
  std::int64_t down_, across_;
  std::int64_t top_ = 0, left_ = 0;  // the first tile that is taken of an image
};

/// The results of a forward convolution of `form`, along one direction and of `size`, that have
/// another bit where pixels of the interval have another value. The kernel meets those next to
/// them; besides, the results of a tile share sums of the pixels that all of its points read: its
/// own four (strided: those that the outer two weights meet, but for the last).
models::Interval results_of(WinogradForm form, const models::Interval& pixels, std::int64_t size);

/// The whole tiles, of results of `size`, that an interval has a part in.
models::Interval whole_tiles(const models::Interval& results, std::int64_t size);

/// Where the planes of `tiles` tiles and `groups` groups of channels lie, and the products'.
struct ProductLayout {
  ProductLayout(WinogradForm form, std::int64_t tiles, std::int64_t groups);

  PlaneLayout planes;
  std::int64_t start[kProducts], group[kProducts], rows[kProducts];
  std::int64_t size;  ///< floats
};

}  // namespace namid::engine
