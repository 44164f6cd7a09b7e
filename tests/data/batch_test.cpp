// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "namid/core/error.h"
#include "namid/data/dataset.h"

namespace namid::data {
namespace {

/// 256 images of 3x2x2 pixels, image i all of value i.
Dataset ramp() {
  Dataset dataset;
  dataset.images =
      at::arange(256, at::kByte).reshape({256, 1, 1, 1}).expand({-1, 3, 2, 2}).contiguous();
  dataset.labels = at::arange(256, at::kLong).remainder(7);
  dataset.ids.resize(256);
  std::iota(dataset.ids.begin(), dataset.ids.end(), std::uint64_t{1000});
  dataset.num_classes = 7;
  return dataset;
}

TEST(MakeBatch, DividesEveryPixelValueBy255Exactly) {
  const auto dataset = ramp();
  std::vector<std::int64_t> all(256);
  std::iota(all.begin(), all.end(), 0);
  const auto batch = make_batch(dataset, all);
  ASSERT_EQ(batch.x.scalar_type(), at::kFloat);
  for (std::int64_t v = 0; v < 256; ++v) {
    const float expected = static_cast<float>(v) / 255.0F;
    EXPECT_TRUE(batch.x[v].eq(expected).all().item<bool>()) << v;
  }
}

TEST(MakeBatch, TakesTheRowsInTheirOrder) {
  const auto batch = make_batch(ramp(), std::vector<std::int64_t>{200, 3, 200});
  EXPECT_EQ(batch.size(), 3);
  EXPECT_EQ(batch.ids, (SampleIds{1200, 1003, 1200}));
  EXPECT_EQ(batch.y[1].item<std::int64_t>(), 3);
  EXPECT_EQ(batch.x.sizes(), (std::vector<std::int64_t>{3, 3, 2, 2}));
  EXPECT_TRUE(batch.x[0].equal(batch.x[2]));
  EXPECT_EQ(make_batch(ramp(), {}).size(), 0);
  EXPECT_THROW(make_batch(ramp(), std::vector<std::int64_t>{256}), OptionError);
}

SampleIds first_ids(std::size_t count) {
  SampleIds ids(count);
  std::iota(ids.begin(), ids.end(), std::uint64_t{0});
  return ids;
}

/// The crop of `image` (C, H, W) at one of 81 offsets, flipped or not.
at::Tensor plain_crop(const at::Tensor& image, std::int64_t top, std::int64_t left, bool flip) {
  auto canvas = at::zeros({image.size(0), image.size(1) + 8, image.size(2) + 8});
  canvas.narrow(1, 4, image.size(1)).narrow(2, 4, image.size(2)).copy_(image);
  const auto crop = canvas.narrow(1, top, image.size(1)).narrow(2, left, image.size(2));
  return flip ? crop.flip(2) : crop;
}

TEST(Augment, EverySampleIsACropOfThePaddedImageAllEquallyOften) {
  constexpr std::int64_t kCount = 8000;
  const auto image = at::arange(1, 3 * 9 * 10 + 1, at::kFloat).reshape({3, 9, 10});
  const auto x = image.unsqueeze(0).expand({kCount, -1, -1, -1});
  const auto out = augment(x, first_ids(kCount), Random(3, "data/augment"), 0);
  std::map<std::vector<float>, int> found;
  for (std::int64_t i = 0; i < kCount; ++i) {
    const auto row = out[i].contiguous();
    ++found[{row.const_data_ptr<float>(), row.const_data_ptr<float>() + row.numel()}];
  }
  double chi_squared = 0;
  const double expected = kCount / 162.0;
  for (std::int64_t top = 0; top < 9; ++top)
    for (std::int64_t left = 0; left < 9; ++left)
      for (const bool flip : {false, true}) {
        const auto crop = plain_crop(image, top, left, flip).contiguous();
        const auto seen =
            found[{crop.const_data_ptr<float>(), crop.const_data_ptr<float>() + crop.numel()}];
        chi_squared += (seen - expected) * (seen - expected) / expected;
      }
  EXPECT_EQ(found.size(), 162U);         // no image that is not such a crop
  EXPECT_LT(chi_squared, 161 + 4 * 18);  // mean 161, standard deviation sqrt(2 * 161)
}

TEST(Augment, DrawsBelongToSampleAndEpoch) {
  const auto x = at::rand({6, 3, 8, 8});
  const Random random(1, "data/augment");
  const auto whole = augment(x, first_ids(6), random, 5);
  const auto tail = augment(x.narrow(0, 4, 2), {4, 5}, random, 5);
  EXPECT_TRUE(whole.narrow(0, 4, 2).equal(tail));
  EXPECT_TRUE(whole.flip(0).equal(augment(x.flip(0), {5, 4, 3, 2, 1, 0}, random, 5)));
  EXPECT_FALSE(whole.equal(augment(x, first_ids(6), random, 6)));
  EXPECT_FALSE(whole.equal(augment(x, first_ids(6), Random(2, "data/augment"), 5)));
}

TEST(Augment, RefusesWhatHasNoRowsOfImages) {
  EXPECT_THROW(augment(at::rand({2, 3, 8, 8}), {0}, Random(), 0), OptionError);
  EXPECT_THROW(augment(at::rand({2, 8, 8}), {0, 1}, Random(), 0), OptionError);
}

}  // namespace
}  // namespace namid::data
