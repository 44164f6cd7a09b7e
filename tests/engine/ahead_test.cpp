// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/ahead.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "namid/engine/winograd_tiles.h"

namespace namid::engine {
namespace {

constexpr std::int64_t kChannels = 16;

TEST(Ahead, HandsOutPiecesPartByPart) {
  const std::vector<float> memory(100);
  Ahead ahead;
  ahead.add(memory.data(), 30);
  ahead.add(memory.data() + 50, 10);
  EXPECT_EQ(ahead.take(20), memory.data());
  EXPECT_EQ(ahead.take(20), memory.data() + 20) << "the last part of a piece may be short";
  EXPECT_EQ(ahead.take(20), memory.data() + 50);
  EXPECT_EQ(ahead.take(20), nullptr);
}

TEST(Ahead, JoinsPiecesThatFollowOneAnother) {
  const std::vector<float> memory(100);
  Ahead ahead;
  for (int i = 0; i < 100; i += 4) ahead.add(memory.data() + i, 4);
  EXPECT_EQ(ahead.take(99), memory.data());
  EXPECT_EQ(ahead.take(1), memory.data() + 99);
  EXPECT_EQ(ahead.take(1), nullptr);
}

TEST(Ahead, LeavesOutWhatIsMoreThanItsPlaces) {
  const std::vector<float> memory(100);
  Ahead ahead;
  for (int i = 0; i < 20; ++i) ahead.add(memory.data() + 2 * i, 1);
  int pieces = 0;
  while (ahead.take(1)) ++pieces;
  EXPECT_EQ(pieces, 16);
}

struct Block {
  WinogradForm form;
  Extent extent;
  std::int64_t tiles;
};

class TilesAhead : public ::testing::TestWithParam<Block> {
 protected:
  using Pixels = std::set<const float*>;

  static void take_all(Ahead& ahead, Pixels& pixels) {
    while (const auto* pixel = ahead.take(kChannels)) pixels.insert(pixel);
  }
  Pixels read(std::int64_t tile) const {
    InputTile found;
    tiles_.source(tile, values_.data(), kChannels, zeros_.data(), found);
    const int side = block_.form == WinogradForm::plain     ? 6
                     : block_.form == WinogradForm::strided ? 9
                                                            : 5;
    Pixels pixels(found.pixels, found.pixels + side * side);
    pixels.erase(zeros_.data());
    return pixels;
  }
  Pixels written(std::int64_t tile) const {
    OutputTile found;
    tiles_.target(tile, kChannels, found);
    Pixels pixels;
    for (std::int64_t i = 0; i < found.height; ++i)
      for (std::int64_t j = 0; j < found.width; ++j)
        pixels.insert(values_.data() + found.offset + i * found.row_stride +
                      j * found.pixel_stride);
    return pixels;
  }

  Block block_ = GetParam();
  Tiles tiles_{block_.extent, block_.form};
  std::vector<float> values_ = std::vector<float>(static_cast<std::size_t>(
      block_.extent.n * block_.extent.height * block_.extent.width * kChannels));
  std::vector<float> zeros_ = std::vector<float>(kChannels);
};

TEST_P(TilesAhead, WhatIsReadWasFetchedWithItsBlockOrAnEarlierOne) {
  Pixels fetched;
  for (std::int64_t first = 0; first < tiles_.count(); first += block_.tiles) {
    const auto last = std::min(first + block_.tiles, tiles_.count());
    Ahead ahead;
    tiles_.read_ahead(first, last, values_.data(), kChannels, ahead);
    take_all(ahead, fetched);
    for (auto t = first; t < last; ++t)
      for (const auto* pixel : read(t)) ASSERT_TRUE(fetched.contains(pixel)) << "tile " << t;
  }
  for (const auto* pixel : fetched) {
    EXPECT_GE(pixel, values_.data());
    EXPECT_LT(pixel, values_.data() + values_.size());
  }
}

TEST_P(TilesAhead, WhatIsWrittenIsFetchedAndNothingElse) {
  for (std::int64_t first = 0; first < tiles_.count(); first += block_.tiles) {
    const auto last = std::min(first + block_.tiles, tiles_.count());
    Pixels fetched, expected;
    Ahead ahead;
    tiles_.write_ahead(first, last, values_.data(), kChannels, ahead);
    take_all(ahead, fetched);
    for (auto t = first; t < last; ++t) expected.merge(written(t));
    EXPECT_EQ(fetched, expected) << "from tile " << first;
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, TilesAhead,
                         ::testing::Values(Block{WinogradForm::plain, {2, 32, 32}, 14},
                                           Block{WinogradForm::plain, {3, 15, 30}, 10},
                                           Block{WinogradForm::plain, {9, 4, 4}, 5},
                                           Block{WinogradForm::plain, {5, 3, 1}, 2},
                                           Block{WinogradForm::strided, {2, 32, 32}, 7},
                                           Block{WinogradForm::strided, {3, 15, 9}, 2},
                                           Block{WinogradForm::spread, {2, 16, 32}, 7},
                                           Block{WinogradForm::spread, {3, 15, 9}, 2}),
                         [](const auto& info) { return "number" + std::to_string(info.index); });

}  // namespace
}  // namespace namid::engine
