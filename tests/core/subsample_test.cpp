// SPDX-License-Identifier: Apache-2.0
#include "namid/core/subsample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "namid/core/error.h"

namespace namid {
namespace {

TEST(Subsample, IntervalsAreThoseOfTheSpecification) {
  const auto expect = [](std::int64_t M, std::int64_t m, std::int64_t k, std::int64_t low,
                         std::int64_t high) {
    const auto count = marked_count(M, m, k);
    EXPECT_EQ(count.low, low);
    EXPECT_EQ(count.high, high);
  };
  expect(4800, 1000, 12, 33, 95);
  expect(600, 200, 0, 0, 9);
  expect(50, 50, 9, 9, 9);
  expect(0, 0, 0, 0, 0);
}

TEST(Subsample, TheDistributionIsThatOfCounting) {
  // All 10 · 9 · 8 / 6 = 120 ways to draw 3 of 10, of which 4 are marked.
  int at_most_one = 0;
  for (int a = 0; a < 10; ++a)
    for (int b = a + 1; b < 10; ++b)
      for (int c = b + 1; c < 10; ++c) at_most_one += (a < 4) + (b < 4) + (c < 4) <= 1;
  EXPECT_NEAR(hypergeometric_cdf(1, 10, 4, 3), at_most_one / 120.0, 1e-12);
  EXPECT_EQ(hypergeometric_cdf(-1, 10, 4, 3), 0);
  EXPECT_EQ(hypergeometric_cdf(3, 10, 4, 3), 1);
}

TEST(Subsample, IntervalsHoldTheTruthAtTheirRateWhateverItIs) {
  const std::int64_t M = 120, m = 40;
  for (const std::int64_t K : {0, 1, 5, 30, 60, 119, 120}) {
    double miss = 0;  // over the exact distribution of k
    for (std::int64_t k = 0; k <= m; ++k) {
      const double share = hypergeometric_cdf(k, M, K, m) - hypergeometric_cdf(k - 1, M, K, m);
      if (share == 0) continue;
      const auto count = marked_count(M, m, k);
      if (K < count.low || K > count.high) miss += share;
    }
    EXPECT_LE(miss, 0.05) << K;
  }
}

TEST(Subsample, TwoHundredSubsetsGiveIntervalsThatHoldTheFullFigure) {
  // A known protocol: of 10,000 images 5,100 survive the cheap stages, 83 of which fall later.
  const std::int64_t n = 10000, survivors = 5100, falling = 83, drawn = 600;
  const double full = static_cast<double>(survivors - falling) / static_cast<double>(n);
  std::vector<std::int64_t> order(static_cast<std::size_t>(survivors));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937 generator(1);
  int held = 0;
  for (int subset = 0; subset < 200; ++subset) {
    std::shuffle(order.begin(), order.end(), generator);
    const auto broken = std::count_if(order.begin(), order.begin() + drawn,
                                      [&](std::int64_t image) { return image < falling; });
    const auto sampled = sampled_accuracy(n, survivors, drawn, broken);
    EXPECT_GE(sampled.bound, full);
    EXPECT_GE(sampled.estimate, sampled.interval.low);
    EXPECT_LE(sampled.estimate, sampled.interval.high);
    held += full >= sampled.interval.low && full <= sampled.interval.high;
  }
  EXPECT_GE(held, 183) << "95 % of 200 less three standard deviations";
}

TEST(Subsample, WrongCountsAreErrors) {
  EXPECT_THROW(marked_count(10, 11, 0), OptionError);
  EXPECT_THROW(marked_count(10, 5, 6), OptionError);
  EXPECT_THROW(marked_count(10, 0, 0), OptionError);
  EXPECT_THROW(marked_count(10, 5, 1, 1.0), OptionError);
  EXPECT_THROW(sampled_accuracy(10, 11, 1, 0), OptionError);
}

}  // namespace
}  // namespace namid
