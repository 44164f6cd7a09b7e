// SPDX-License-Identifier: Apache-2.0
// A Winograd convolution of some of its tiles, and which results see which pixels.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "namid/engine/winograd.h"
#include "tests/engine/convolutions.h"

namespace namid::engine {
namespace {

using models::Interval;
using models::Rectangle;

struct PartOfConvolution : public ::testing::TestWithParam<std::int64_t> {
  std::int64_t stride = GetParam(), height = 21, width = 18;
  std::int64_t down = (height + stride - 1) / stride, across = (width + stride - 1) / stride;
  WinogradForm form = stride == 1 ? WinogradForm::plain : WinogradForm::strided;
  at::Tensor x = noise({2, height, width, 16}, 1), weight = noise({32, 16, 3, 3}, 2);

  static at::Tensor noise(at::IntArrayRef sizes, std::uint64_t seed) {
    at::manual_seed(seed);
    return at::randn(sizes);
  }
  /// Into y, NHWC.
  void convolve(const at::Tensor& from, at::Tensor& y, InstructionSet set,
                const std::optional<Rectangle>& only = {}, const Epilogue& epilogue = {}) const {
    const WinogradConvolution convolution(weight, false, stride, set);
    Workspace workspace;
    convolution.run(from.const_data_ptr<float>(), y.data_ptr<float>(), {2, height, width}, epilogue,
                    workspace, only);
  }
  at::Tensor room(float value = 0) const { return at::full({2, down, across, 32}, value); }
};

TEST_P(PartOfConvolution, WritesTheTilesOfTheRectangleAloneWithTheBitsOfTheWhole) {
  const auto residual = noise({2, down, across, 32}, 3), bias = noise({32}, 4);
  const Epilogue epilogue{.bias = bias.const_data_ptr<float>(),
                          .residual = residual.const_data_ptr<float>(),
                          .relu = true};
  for (const auto set : instruction_sets()) {
    auto whole = room();
    convolve(x, whole, set, {}, epilogue);
    for (const auto& only :
         {Rectangle{{0, 1}, {0, 1}}, Rectangle{{3, 5}, {4, 8}}, Rectangle{{5, 6}, {7, across}},
          Rectangle{{down - 1, down}, {2, 9}}, Rectangle{{0, down}, {0, across}}}) {
      auto expected = room(7), y = room(7);
      const auto rows = whole_tiles(only.rows, down), columns = whole_tiles(only.columns, across);
      const auto tiles = [&](const at::Tensor& of) {
        return of.slice(1, rows.first, rows.last).slice(2, columns.first, columns.last);
      };
      tiles(expected).copy_(tiles(whole));
      convolve(x, y, set, only, epilogue);
      EXPECT_TRUE(at::equal(y, expected)) << to_string(set) << " " << only.rows.first;
    }
  }
}

TEST_P(PartOfConvolution, ResultsThatSeeAPixelAreThoseThatHaveOtherBits) {
  // Many values, so that no rounding hides what a result sees.
  for (const auto set : instruction_sets()) {
    auto before = room(), after = room();
    convolve(x, before, set);
    for (const std::int64_t axis : {0, 1}) {
      const auto size = axis == 0 ? height : width, results = axis == 0 ? down : across;
      for (std::int64_t at = 0; at < size; ++at) {
        auto other = x.clone();
        other.narrow(1 + axis, at, 1).mul_(-1.7);
        convolve(other, after, set);
        const auto seen = (before != after).any(0).any(-1).any(1 - axis);
        const auto expected = results_of(form, {at, at + 1}, results);
        const auto place = at::arange(results);
        EXPECT_TRUE(at::equal(seen, (place >= expected.first) & (place < expected.last)))
            << to_string(set) << " axis " << axis << " pixel " << at;
      }
    }
  }
}

TEST_P(PartOfConvolution, AnIntervalIsSeenWhereOneOfItsPixelsIs) {
  for (std::int64_t first = 0; first < height; ++first) {
    Interval all{};
    for (auto last = first + 1; last <= height; ++last) {
      all = models::united(all, results_of(form, {last - 1, last}, down));
      EXPECT_EQ(results_of(form, {first, last}, down), all) << first << " to " << last;
    }
  }
  EXPECT_EQ(results_of(form, {3, 3}, down).length(), 0);
}

INSTANTIATE_TEST_SUITE_P(Strides, PartOfConvolution, ::testing::Values(1, 2));

}  // namespace
}  // namespace namid::engine
