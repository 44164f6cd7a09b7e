// SPDX-License-Identifier: Apache-2.0
#include "namid/core/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <iostream>

#include "namid/core/random.h"

namespace namid {
namespace {

const std::vector<PairedCounts> kSeeds = {{60, 40, 500}, {75, 35, 500}, {50, 52, 500}};

TEST(HierarchicalBootstrap, HasTheVarianceOfSeedsAndImages) {
  const auto found = hierarchical_bootstrap(kSeeds, {.draws = 40000});
  double mean = 0, between = 0, within = 0;
  for (const auto& c : kSeeds) mean += (c.only_first - c.only_second) / 500.0 / 3;
  for (const auto& c : kSeeds) {
    const double own = (c.only_first - c.only_second) / 500.0;
    between += (own - mean) * (own - mean) / 3;
    within += ((c.only_first + c.only_second) / 500.0 - own * own) / 500 / 3;
  }
  EXPECT_NEAR(found.mean, mean, 1e-15);
  EXPECT_NEAR(found.deviation / std::sqrt((between + within) / 3), 1, 0.015);
  EXPECT_LT(found.expanded.low, found.percentile.low);
  EXPECT_GT(found.expanded.high, found.percentile.high);
}

TEST(HierarchicalBootstrap, IsNormalForManySeeds) {
  const std::vector<PairedCounts> seeds(30, {25, 15, 100});
  const auto found = hierarchical_bootstrap(seeds);
  EXPECT_NEAR((found.percentile.high - found.mean) / found.deviation, 1.96, 0.06);
  EXPECT_NEAR((found.percentile.low - found.mean) / found.deviation, -1.96, 0.06);
}

TEST(HierarchicalBootstrap, FollowsItsSeedAlone) {
  const auto first = hierarchical_bootstrap(kSeeds, {.draws = 500, .seed = 1});
  EXPECT_EQ(first.deviation, hierarchical_bootstrap(kSeeds, {.draws = 500, .seed = 1}).deviation);
  EXPECT_NE(first.deviation, hierarchical_bootstrap(kSeeds, {.draws = 500, .seed = 2}).deviation);
}

TEST(HierarchicalBootstrap, KnowsNoDoubtWithoutDiscordantImages) {
  const auto found = hierarchical_bootstrap({{0, 0, 50}, {0, 0, 50}}, {.draws = 100});
  EXPECT_EQ(found.mean, 0);
  EXPECT_EQ(found.expanded.low, 0);
  EXPECT_EQ(found.expanded.high, 0);
}

/// Shares of simulated experiments whose percentile and expanded intervals hold the true difference
/// 0: 5 seeds, of differences with standard deviation 0.4, and 50 images.
std::pair<double, double> coverage(int runs) {
  const Random random(0, "test");
  int percentile = 0, expanded = 0;
  for (int run = 0; run < runs; ++run) {
    std::vector<PairedCounts> seeds;
    for (std::uint32_t s = 0; s < 5; ++s) {
      const auto sample = static_cast<std::uint64_t>(run);
      float effect = 0;
      random.normal({.sample = sample, .epoch = s}, &effect, 1);
      std::vector<float> images(50);
      random.uniform({.sample = sample, .epoch = s, .iteration = 1}, images.data(), images.size());
      auto& counts = seeds.emplace_back(PairedCounts{.images = 50});
      for (const float u : images)
        ++(u < 0.5F + 0.2F * effect ? counts.only_first : counts.only_second);
    }
    const auto found = hierarchical_bootstrap(seeds, {.draws = 1000});
    percentile += found.percentile.low <= 0 && 0 <= found.percentile.high;
    expanded += found.expanded.low <= 0 && 0 <= found.expanded.high;
  }
  return {static_cast<double>(percentile) / runs, static_cast<double>(expanded) / runs};
}

TEST(HierarchicalBootstrap, CoversFewSeedsByTheExpandedIntervalAlone) {
  const auto [percentile, expanded] = coverage(500);
  std::cout << "coverage: percentile " << percentile << ", expanded " << expanded << "\n";
  EXPECT_GE(expanded, 0.93);
  EXPECT_LT(percentile, 0.9);
}

TEST(CrossedBootstrap, CountsAnImageThatAllSeedsShareOnce) {
  std::vector<std::int8_t> row(400);
  for (std::size_t i = 0; i < 60; ++i) row[i] = i < 45 ? 1 : -1;
  const std::vector<std::vector<std::int8_t>> same(4, row);
  const auto crossed = crossed_bootstrap(same, {.draws = 20000});
  EXPECT_DOUBLE_EQ(crossed.mean, 30.0 / 400);
  const double image = std::sqrt((60.0 / 400 - crossed.mean * crossed.mean) / 400);
  EXPECT_NEAR(crossed.deviation / image, 1, 0.02);
  const std::vector<PairedCounts> counts(4, {45, 15, 400});
  EXPECT_NEAR(hierarchical_bootstrap(counts).deviation / image, 0.5, 0.02);  // 1/√4: too small
}

TEST(CrossedBootstrap, HoldsTheVarianceOfSeeds) {
  const std::vector<std::vector<std::int8_t>> seeds = {std::vector<std::int8_t>(50, 1),
                                                       std::vector<std::int8_t>(50, 0),
                                                       std::vector<std::int8_t>(50, -1)};
  const auto found = crossed_bootstrap(seeds, {.draws = 20000});
  EXPECT_EQ(found.mean, 0);
  EXPECT_NEAR(found.deviation, std::sqrt(2.0 / 9), 0.01);
}

TEST(Bootstrap, RefusesWhatItCannotResample) {
  EXPECT_THROW(hierarchical_bootstrap({{1, 1, 5}}), OptionError);
  EXPECT_THROW(hierarchical_bootstrap({{1, 1, 5}, {4, 4, 5}}), OptionError);
  EXPECT_THROW(hierarchical_bootstrap(kSeeds, {.draws = 3}), OptionError);
  EXPECT_THROW(crossed_bootstrap({{1, 0}}), OptionError);
  EXPECT_THROW(crossed_bootstrap({{1, 0}, {1}}), OptionError);
  EXPECT_THROW(crossed_bootstrap({{}, {}}), OptionError);
  EXPECT_THROW(crossed_bootstrap({{1, 0}, {1, 2}}), OptionError);
}

}  // namespace
}  // namespace namid
