// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "namid/data/dataset.h"
#include "support/data_folder.h"

namespace namid::data {
namespace {

Dataset load_real(const std::filesystem::path& path, Part part, std::int64_t limit = 0) {
  return load_dataset({.data = path.string(), .train_limit = limit, .test_limit = limit}, part);
}

std::vector<std::int64_t> counts(const Dataset& dataset) {
  const auto counted = dataset.labels.bincount();
  return {counted.const_data_ptr<std::int64_t>(),
          counted.const_data_ptr<std::int64_t>() + counted.numel()};
}

TEST(MnistData, IsTheCompleteTestSet) {
  NAMID_NEEDS_DATA();
  const auto test = load_real(testing::data_folder() / "mnist", Part::test);
  EXPECT_EQ(test.images.sizes(), (std::vector<std::int64_t>{10000, 1, 28, 28}));
  EXPECT_EQ(counts(test),
            (std::vector<std::int64_t>{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}));
  EXPECT_EQ(test.labels[0].item<int>(), 7);
}

TEST(FashionMnistMiniData, EqualsTheEmbeddedSet) {
  NAMID_NEEDS_DATA();
  for (const auto part : {Part::train, Part::test})
    EXPECT_EQ(load_real(testing::data_folder() / "fashion-mnist-mini", part).sha256(),
              load_dataset({}, part).sha256());
}

/// Where large data sets lie unpacked; empty if NAMID_UNPACKED_DATA is not set.
std::filesystem::path unpacked(const char* name) {
  const char* folder = std::getenv("NAMID_UNPACKED_DATA");
  return folder ? std::filesystem::path(folder) / name : std::filesystem::path();
}

TEST(CifarTenData, HasFiveThousandTrainingImagesAClass) {
  const auto folder = unpacked("cifar-10-batches-bin");
  if (folder.empty()) GTEST_SKIP() << "NAMID_UNPACKED_DATA is not set";
  const auto train = load_real(folder, Part::train);
  EXPECT_EQ(train.images.sizes(), (std::vector<std::int64_t>{50000, 3, 32, 32}));
  EXPECT_EQ(counts(train), std::vector<std::int64_t>(10, 5000));
  EXPECT_EQ(train.labels[0].item<int>(), 6);  // a frog, pixel (59, 62, 63)
  EXPECT_EQ(train.images[0][0][0][0].item<int>(), 59);
  EXPECT_EQ(train.images[0][1][0][0].item<int>(), 62);
  EXPECT_EQ(train.images[0][2][0][0].item<int>(), 63);
  EXPECT_EQ(train.class_names.at(6), "frog");
  EXPECT_EQ(counts(load_real(folder, Part::test)), std::vector<std::int64_t>(10, 1000));
}

TEST(TinyImageNetData, LimitsKeepTheClassesBalanced) {
  const auto folder = unpacked("tiny-imagenet-200");
  if (folder.empty()) GTEST_SKIP() << "NAMID_UNPACKED_DATA is not set";
  const auto train = load_real(folder, Part::train, 400);
  EXPECT_EQ(train.images.sizes(), (std::vector<std::int64_t>{400, 3, 64, 64}));
  EXPECT_EQ(counts(train), std::vector<std::int64_t>(200, 2));
  const auto test = load_real(folder, Part::test);
  EXPECT_EQ(test.size(), 10000);
  EXPECT_EQ(counts(test), std::vector<std::int64_t>(200, 50));
}

}  // namespace
}  // namespace namid::data
