// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/winograd_tiles.h"

#include <algorithm>

namespace namid::engine {
namespace {

/// Which of six weights a plane's row or column belongs to, and its number among their planes.
struct Part {
  std::int64_t weight, number;
};

Part part_of(WinogradForm form, std::int64_t i) {
  if (form == WinogradForm::plain) return {i, 0};
  return i < 5 ? Part{i, 0} : Part{5, i - 5};
}

}  // namespace

Tiles::Tiles(const Extent& extent, WinogradForm form, const std::optional<models::Rectangle>& only)
    : n_(extent.n), read_{extent.height, extent.width}, written_(read_) {
  const Size half{(extent.height + 1) / 2, (extent.width + 1) / 2};
  if (form == WinogradForm::strided) written_ = half;
  if (form == WinogradForm::spread) read_ = half;
  pixels_ = form == WinogradForm::plain ? 6 : form == WinogradForm::strided ? 9 : 5;
  first_ = form == WinogradForm::spread ? 0 : -1;
  step_ = form == WinogradForm::strided ? 8 : 4;
  results_ = form == WinogradForm::spread ? 8 : kForwardTile;
  const auto taken = only.value_or(models::Rectangle{{0, written_.height}, {0, written_.width}});
  top_ = taken.rows.first / results_;
  left_ = taken.columns.first / results_;
  down_ = (taken.rows.last + results_ - 1) / results_ - top_;
  across_ = (taken.columns.last + results_ - 1) / results_ - left_;
}

void Tiles::pixels(const Patch& patch, const Size& size, const float* x, std::int64_t channels,
                   const float* zeros, InputTile& tile) {
  const float* image = x + patch.image * size.height * size.width * channels;
  for (std::int64_t i = 0; i < patch.side; ++i) {
    const std::int64_t row = patch.top + i;
    const bool inside = row >= 0 && row < size.height;
    for (std::int64_t j = 0; j < patch.side; ++j) {
      const std::int64_t column = patch.left + j;
      tile.pixels[patch.side * i + j] = inside && column >= 0 && column < size.width
                                            ? image + (row * size.width + column) * channels
                                            : zeros;
    }
  }
}

void Tiles::source(std::int64_t index, const float* x, std::int64_t channels, const float* zeros,
                   InputTile& tile) const {
  pixels({.image = index / (across_ * down_),
          .top = (index / across_ % down_ + top_) * step_ + first_,
          .left = (index % across_ + left_) * step_ + first_,
          .side = pixels_},
         read_, x, channels, zeros, tile);
}

void Tiles::results(std::int64_t index, const float* y, std::int64_t channels, const float* zeros,
                    InputTile& tile) const {
  pixels({.image = index / (across_ * down_),
          .top = (index / across_ % down_ + top_) * results_,
          .left = (index % across_ + left_) * results_,
          .side = results_},
         written_, y, channels, zeros, tile);
}

void Tiles::target(std::int64_t index, std::int64_t channels, OutputTile& tile) const {
  const std::int64_t top = (index / across_ % down_ + top_) * results_,
                     left = (index % across_ + left_) * results_;
  const std::int64_t image = index / (across_ * down_);
  tile.height = std::min(results_, written_.height - top);
  tile.width = std::min(results_, written_.width - left);
  tile.pixel_stride = channels;
  tile.row_stride = written_.width * channels;
  tile.offset = ((image * written_.height + top) * written_.width + left) * channels;
}

void Tiles::rows_ahead(std::int64_t first, std::int64_t last, const Stride& stride,
                       const Size& size, const float* values, std::int64_t channels,
                       Ahead& ahead) const {
  for (std::int64_t t = first, end = first; t < last; t = end) {
    const std::int64_t line = t / across_, row = line % down_ + top_;
    end = std::min(last, (line + 1) * across_);
    const auto at = [&](std::int64_t tile) { return stride.first + stride.step * tile; };
    const auto left = std::max<std::int64_t>(at(t % across_ + left_), 0),
               right = std::min(at((end - 1) % across_ + left_) + stride.pixels, size.width),
               top = std::max<std::int64_t>(at(row) + (row > top_ ? stride.shared : 0), 0),
               bottom = std::min(at(row) + stride.pixels, size.height);
    const float* image = values + line / down_ * size.height * size.width * channels;
    for (std::int64_t y = top; y < bottom; ++y)
      ahead.add(image + (y * size.width + left) * channels, (right - left) * channels);
  }
}

void Tiles::read_ahead(std::int64_t first, std::int64_t last, const float* x, std::int64_t channels,
                       Ahead& ahead) const {
  rows_ahead(first, last, {first_, step_, pixels_, pixels_ - step_}, read_, x, channels, ahead);
}

void Tiles::write_ahead(std::int64_t first, std::int64_t last, const float* y,
                        std::int64_t channels, Ahead& ahead) const {
  rows_ahead(first, last, {0, results_, results_, 0}, written_, y, channels, ahead);
}

models::Interval whole_tiles(const models::Interval& results, std::int64_t size) {
  if (results.length() == 0) return {};
  return {results.first / kForwardTile * kForwardTile,
          std::min((results.last + kForwardTile - 1) / kForwardTile * kForwardTile, size)};
}

models::Interval results_of(WinogradForm form, const models::Interval& pixels, std::int64_t size) {
  const auto [first, last] = pixels;
  if (pixels.length() == 0) return {};
  if (form == WinogradForm::plain)
    return united({std::max<std::int64_t>(first - 1, 0), std::min(last + 1, size)},
                  whole_tiles(pixels, size));
  // Pixel 2m − 1 is the first that result m reads, and one that all results of its tile share.
  return united({first / 2, std::min(last / 2 + 1, size)},
                whole_tiles({(first + 2) / 2, std::min(last / 2 + 1, size)}, size));
}

ProductLayout::ProductLayout(WinogradForm form, std::int64_t tiles, std::int64_t groups) : size(0) {
  const std::int64_t points = form == WinogradForm::plain ? 6 : 9, last = points - 5;
  for (std::int64_t i = 0; i < kProducts; ++i) {
    const std::int64_t planes = (i / 6 == 5 ? last : 1) * (i % 6 == 5 ? last : 1);
    start[i] = size;
    rows[i] = planes * tiles;
    group[i] = rows[i] * kLanes;
    // An odd number of cache lines apart: a power of two would put all planes into one set.
    size += (rows[i] * groups | 1) * kLanes;
  }
  for (std::int64_t i = 0; i < points; ++i)
    for (std::int64_t j = 0; j < points; ++j) {
      const auto row = part_of(form, i), column = part_of(form, j);
      const auto product = 6 * row.weight + column.weight;
      const auto number = row.number * (column.weight == 5 ? last : 1) + column.number;
      planes.plane[points * i + j] = start[product] + number * tiles * kLanes;
      planes.group[points * i + j] = group[product];
    }
}

}  // namespace namid::engine
