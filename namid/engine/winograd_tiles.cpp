// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/winograd_tiles.h"

#include <algorithm>

namespace namid::engine {

Tiles::Tiles(const Extent& extent)
    : extent_(extent), down_((extent.height + 3) / 4), across_((extent.width + 3) / 4) {}

void Tiles::source(std::int64_t index, const float* x, std::int64_t channels, const float* zeros,
                   InputTile& tile) const {
  const std::int64_t top = index / across_ % down_ * 4 - 1, left = index % across_ * 4 - 1;
  const float* image = x + index / (across_ * down_) * extent_.height * extent_.width * channels;
  for (std::int64_t i = 0; i < 6; ++i) {
    const std::int64_t row = top + i;
    const bool inside = row >= 0 && row < extent_.height;
    for (std::int64_t j = 0; j < 6; ++j) {
      const std::int64_t column = left + j;
      tile.pixels[6 * i + j] = inside && column >= 0 && column < extent_.width
                                   ? image + (row * extent_.width + column) * channels
                                   : zeros;
    }
  }
}

void Tiles::target(std::int64_t index, std::int64_t channels, OutputTile& tile) const {
  const std::int64_t top = index / across_ % down_ * 4, left = index % across_ * 4;
  const std::int64_t image = index / (across_ * down_);
  tile.height = std::min<std::int64_t>(4, extent_.height - top);
  tile.width = std::min<std::int64_t>(4, extent_.width - left);
  tile.pixel_stride = channels;
  tile.row_stride = extent_.width * channels;
  tile.offset = ((image * extent_.height + top) * extent_.width + left) * channels;
}

}  // namespace namid::engine
