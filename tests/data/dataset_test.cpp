// SPDX-License-Identifier: Apache-2.0
#include "namid/data/dataset.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "namid/core/error.h"
#include "namid/data/formats.h"

namespace namid::data {
namespace {

const Dataset& mini(Part part) {
  static const Dataset kTrain = load_dataset({}, Part::train);
  static const Dataset kTest = load_dataset({}, Part::test);
  return part == Part::train ? kTrain : kTest;
}

std::vector<std::int64_t> count_labels(const Dataset& dataset) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(dataset.num_classes));
  for (std::int64_t i = 0; i < dataset.size(); ++i)
    ++counts[static_cast<std::size_t>(dataset.labels[i].item<std::int64_t>())];
  return counts;
}

TEST(EmbeddedDataset, HasSevenThousandBalancedImages) {
  EXPECT_EQ(mini(Part::train).images.sizes(), (std::vector<std::int64_t>{6000, 1, 28, 28}));
  EXPECT_EQ(mini(Part::test).images.sizes(), (std::vector<std::int64_t>{1000, 1, 28, 28}));
  EXPECT_EQ(count_labels(mini(Part::train)), std::vector<std::int64_t>(10, 600));
  EXPECT_EQ(count_labels(mini(Part::test)), std::vector<std::int64_t>(10, 100));
  EXPECT_EQ(mini(Part::test).class_names.at(9), "Ankle boot");
  EXPECT_EQ(mini(Part::test).name, "fashion-mnist-mini");
  EXPECT_EQ(mini(Part::test).shape(), (std::vector<std::int64_t>{1, 28, 28}));
}

TEST(EmbeddedDataset, EqualsTheFilesInTheSourceTree) {
  for (const auto part : {Part::train, Part::test}) {
    const auto files = load_dataset({.data = NAMID_SOURCE_DIR "/data/fashion-mnist-mini"}, part);
    EXPECT_EQ(files.sha256(), mini(part).sha256());
  }
  EXPECT_NE(mini(Part::train).sha256(), mini(Part::test).sha256());
}

TEST(Dataset, LimitsKeepTheFirstImages) {
  const auto some = load_dataset({.test_limit = 7}, Part::test);
  EXPECT_EQ(some.size(), 7);
  EXPECT_TRUE(some.images.equal(mini(Part::test).images.narrow(0, 0, 7)));
  EXPECT_TRUE(some.labels.equal(mini(Part::test).labels.narrow(0, 0, 7)));
  EXPECT_EQ(some.ids.size(), 7U);
  EXPECT_EQ(load_dataset({.train_limit = 7}, Part::test).size(), 1000);
  EXPECT_EQ(load_dataset({.test_limit = 5000}, Part::test).size(), 1000);
  EXPECT_THROW(load_dataset({.test_limit = -1}, Part::test), OptionError);
}

TEST(Dataset, RowsKeepTheirIds) {
  const std::vector<std::int64_t> wanted{5, 3, 3};
  const auto rows = mini(Part::test).rows(wanted);
  EXPECT_EQ(rows.ids, (SampleIds{5, 3, 3}));
  EXPECT_TRUE(rows.images[0].equal(mini(Part::test).images[5]));
  EXPECT_TRUE(rows.labels[2].equal(mini(Part::test).labels[3]));
  EXPECT_EQ(rows.num_classes, 10);
  EXPECT_EQ(rows.rows(std::vector<std::int64_t>{1}).ids, SampleIds{3});
  EXPECT_THROW(rows.rows(std::vector<std::int64_t>{3}), OptionError);
  EXPECT_THROW(rows.rows(std::vector<std::int64_t>{-1}), OptionError);
}

TEST(Dataset, HashDependsOnShapePixelsAndLabels) {
  auto a = mini(Part::test).rows(std::vector<std::int64_t>{0, 1});
  const auto before = a.sha256();
  EXPECT_EQ(before.size(), 64U);
  a.labels[1] += 1;
  const auto relabelled = a.sha256();
  a.labels[1] -= 1;
  EXPECT_EQ(a.sha256(), before);
  a.images = a.images.reshape({2, 1, 14, 56});
  EXPECT_NE(a.sha256(), before);
  EXPECT_NE(relabelled, before);
}

TEST(Dataset, UnknownNamesGetTheNearestMatch) {
  try {
    load_dataset({.data = "fashion-mnist-mimi"}, Part::train);
    FAIL();
  } catch (const OptionError& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'fashion-mnist-mini'"),
              std::string::npos)
        << error.what();
  }
  EXPECT_THROW(load_dataset({.data = "/no/such/folder"}, Part::train), DataError);
  EXPECT_THROW(load_dataset({.data = NAMID_SOURCE_DIR "/namid"}, Part::train), DataError);
}

TEST(Dataset, AugmentsColourImagesUnlessToldOtherwise) {
  Dataset colour = mini(Part::test).rows(std::vector<std::int64_t>{0});
  EXPECT_FALSE(augments({}, colour));
  EXPECT_TRUE(augments({.augment = Augment::on}, colour));
  colour.images = colour.images.expand({-1, 3, -1, -1});
  EXPECT_TRUE(augments({}, colour));
  EXPECT_FALSE(augments({.augment = Augment::off}, colour));
}

TEST(ListDatasets, NamesTheBuiltInOneFirst) {
  const auto list = list_datasets();
  ASSERT_GT(list.size(), 1U);
  EXPECT_EQ(list[0].name, "fashion-mnist-mini");
  std::set<std::string> names;
  for (const auto& info : list) {
    EXPECT_FALSE(info.description.empty());
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
  }
}

TEST(SplitValidation, PartsTheSetInFileOrder) {
  const auto [rest, held_out] = split_validation(mini(Part::test), 100, 1);
  EXPECT_EQ(rest.size(), 900);
  EXPECT_EQ(held_out.size(), 100);
  EXPECT_TRUE(std::is_sorted(rest.ids.begin(), rest.ids.end()));
  EXPECT_TRUE(std::is_sorted(held_out.ids.begin(), held_out.ids.end()));
  std::set<std::uint64_t> all(rest.ids.begin(), rest.ids.end());
  all.insert(held_out.ids.begin(), held_out.ids.end());
  EXPECT_EQ(all.size(), 1000U);
  const auto id = static_cast<std::int64_t>(held_out.ids[3]);
  EXPECT_TRUE(held_out.images[3].equal(mini(Part::test).images[id]));
}

TEST(SplitValidation, DependsOnTheSeedAlone) {
  const auto ids = [](std::uint64_t seed) {
    return split_validation(mini(Part::test), 50, seed).second.ids;
  };
  EXPECT_EQ(ids(1), ids(1));
  EXPECT_NE(ids(1), ids(2));
  EXPECT_EQ(split_validation(mini(Part::test), 0, 1).first.sha256(), mini(Part::test).sha256());
  EXPECT_THROW(split_validation(mini(Part::test), 1000, 1), OptionError);
  EXPECT_THROW(split_validation(mini(Part::test), -1, 1), OptionError);
}

}  // namespace
}  // namespace namid::data
