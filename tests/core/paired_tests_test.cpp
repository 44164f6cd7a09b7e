// SPDX-License-Identifier: Apache-2.0
#include "namid/core/paired_tests.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "namid/core/random.h"

namespace namid {
namespace {

TEST(PairedCounts, CountImagesThatOneModelAloneGetsRight) {
  const auto counts = paired_counts({1, 1, 0, 0, 1}, {1, 0, 1, 0, 0});
  EXPECT_EQ(counts.only_first, 2);
  EXPECT_EQ(counts.only_second, 1);
  EXPECT_EQ(counts.images, 5);
  EXPECT_THROW(paired_counts({1}, {1, 0}), OptionError);
}

TEST(McNemar, IsCertainOfNothingWithoutDiscordantImages) {
  const auto found = mcnemar({0, 0, 100});
  EXPECT_EQ(found.p_value, 1);
  EXPECT_EQ(found.difference, 0);
  EXPECT_EQ(found.conditional.low, 0);
  EXPECT_EQ(found.conditional.high, 0);
  EXPECT_LT(found.unconditional.low, -0.03);
  EXPECT_GT(found.unconditional.high, 0.03);
}

TEST(McNemar, HasItsClosedForm) {
  EXPECT_NEAR(mcnemar({0, 10, 50}).p_value, 2.0 / 1024, 1e-16);
  EXPECT_NEAR(mcnemar({1, 9, 50}).p_value, 22.0 / 1024, 1e-15);
  EXPECT_EQ(mcnemar({5, 5, 50}).p_value, 1);
  EXPECT_DOUBLE_EQ(mcnemar({1, 9, 50}).difference, -8.0 / 50);
}

TEST(McNemar, LeavesZeroOutOfTheConditionalIntervalExactlyWhereItRejects) {
  for (std::int64_t first = 0; first <= 30; ++first)
    for (std::int64_t second = 0; second <= 30; ++second) {
      const auto found = mcnemar({first, second, 100}, 0.9),
                 swapped = mcnemar({second, first, 100});
      const bool zero_out = found.conditional.low > 0 || found.conditional.high < 0;
      EXPECT_EQ(found.p_value <= 0.1, zero_out) << first << " " << second;
      EXPECT_DOUBLE_EQ(found.p_value, swapped.p_value);
      EXPECT_DOUBLE_EQ(found.difference, -swapped.difference);
    }
}

TEST(McNemar, CoversTheDifferenceOverAllOutcomes) {
  const std::int64_t n = 14;
  for (const double a : {0.02, 0.15, 0.5})
    for (const double b : {0.01, 0.2, 0.4}) {
      double covered = 0;
      for (std::int64_t i = 0; i <= n; ++i)
        for (std::int64_t j = 0; i + j <= n; ++j) {
          const auto interval = mcnemar({i, j, n}).unconditional;
          if (interval.low > a - b || interval.high < a - b) continue;
          covered += std::exp(std::lgamma(n + 1) - std::lgamma(i + 1) - std::lgamma(j + 1) -
                              std::lgamma(n - i - j + 1) + i * std::log(a) + j * std::log(b) +
                              (n - i - j) * std::log(1 - a - b));
        }
      EXPECT_GE(covered, 0.95) << a << " " << b;
    }
}

TEST(McNemar, RefusesCountsThatDoNotFit) {
  EXPECT_THROW(mcnemar({-1, 0, 5}), OptionError);
  EXPECT_THROW(mcnemar({3, 3, 5}), OptionError);
  EXPECT_THROW(mcnemar({0, 0, 0}), OptionError);
  EXPECT_THROW(mcnemar({1, 1, 5}, 0), OptionError);
}

// Darwin's maize, Fisher 1935, Sec. 21: 863 of the 32,768 sums are at least the observed 314.
const std::vector<double> kMaize = {49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48};

TEST(SignFlip, FindsFishersCountForDarwinsMaize) {
  const auto found = sign_flip(kMaize);
  EXPECT_TRUE(found.exact);
  EXPECT_EQ(found.signs, 32768);
  EXPECT_DOUBLE_EQ(found.mean, 314.0 / 15);
  EXPECT_DOUBLE_EQ(found.p_value, 2 * 863.0 / 32768);
  EXPECT_LT(found.interval.low, 0);
  EXPECT_GT(sign_flip(kMaize, {.confidence = 0.94}).interval.low, 0);
}

std::vector<double> shifted(std::vector<double> values, double theta) {
  for (auto& value : values) value -= theta;
  return values;
}

std::vector<double> draws(std::size_t count, double mean, std::uint64_t seed) {
  std::vector<float> normal(count);
  Random(seed, "test").normal({}, normal.data(), count);
  std::vector<double> values(normal.begin(), normal.end());
  for (auto& value : values) value += mean;
  return values;
}

TEST(SignFlip, HoldsExactlyTheMeansThatItsTestAccepts) {
  for (const std::size_t pairs : {6, 9, 30}) {
    const auto d = draws(pairs, 0.3, pairs);
    SignFlipOptions options{.confidence = 0.9, .draws = 999};
    const auto [low, high] = sign_flip(d, options).interval;
    ASSERT_TRUE(std::isfinite(low) && std::isfinite(high));
    for (const double theta : {low - 1e-9, low - 0.3, high + 1e-9, high + 0.3})
      EXPECT_LE(sign_flip(shifted(d, theta), options).p_value, 0.1) << pairs;
    for (const double theta : {low + 1e-9, 0.7 * low + 0.3 * high, high - 1e-9})
      EXPECT_GT(sign_flip(shifted(d, theta), options).p_value, 0.1) << pairs;
  }
}

TEST(SignFlip, SaysThatTooFewPairsCannotReject) {
  const auto found = sign_flip({1, 2, 3, 4, 5});
  EXPECT_DOUBLE_EQ(found.p_value, smallest_sign_flip_p(5));
  EXPECT_DOUBLE_EQ(found.p_value, 1.0 / 16);
  EXPECT_EQ(found.interval.low, -INFINITY);
  EXPECT_EQ(found.interval.high, INFINITY);
  EXPECT_EQ(sign_flip({1, 2, 3, 4, 5, 6}).interval.low, 1);
  EXPECT_EQ(sign_flip({0.3}).p_value, 1);
}

TEST(SignFlip, CountsTies) {
  EXPECT_EQ(sign_flip({0, 0, 0, 0, 0, 0, 0}).p_value, 1);
  EXPECT_EQ(sign_flip({0, 0, 0, 0, 0, 0, 0}).interval.low, 0);
  EXPECT_EQ(sign_flip({0.1, 0.2, -0.3}).p_value, 1);  // sum 0 up to rounding
  EXPECT_DOUBLE_EQ(sign_flip({0.1, 0.1, 0.1}).p_value, 0.25);
}

TEST(SignFlip, ApproachesTheExactValueByRandomSigns) {
  for (const double mean : {0.0, 0.4, 0.8}) {
    const auto d = draws(16, mean, 5);
    const auto exact = sign_flip(d);
    const auto random = sign_flip(d, {.exact_up_to = 0, .draws = 40000, .seed = 3});
    EXPECT_FALSE(random.exact);
    EXPECT_EQ(random.signs, 40001);
    const double spread = std::sqrt(exact.p_value * (1 - exact.p_value) / 40000);
    EXPECT_NEAR(random.p_value, exact.p_value, 4 * spread + 1.0 / 40000);
    EXPECT_NEAR(random.interval.low, exact.interval.low, 0.03);
    EXPECT_NEAR(random.interval.high, exact.interval.high, 0.03);
  }
}

TEST(SignFlip, DrawsItsSignsFromTheSeedAlone) {
  const auto d = draws(300, 0.1, 1);  // more signs than one position's words
  const auto first = sign_flip(d, {.draws = 2000, .seed = 1});
  EXPECT_EQ(first.p_value, sign_flip(d, {.draws = 2000, .seed = 1}).p_value);
  EXPECT_NE(first.interval.low, sign_flip(d, {.draws = 2000, .seed = 2}).interval.low);
  // Signs in different blocks are independent: the interval is that of a mean of 300.
  EXPECT_NEAR(first.interval.high - first.interval.low, 2 * 1.96 / std::sqrt(300), 0.03);
}

TEST(SignFlip, CoversTheMeanAsOftenAsItSays) {
  int covered = 0;
  for (std::uint64_t run = 0; run < 2000; ++run) {
    const auto [low, high] = sign_flip(draws(8, 0.7, run), {.confidence = 0.9}).interval;
    covered += low <= 0.7 && 0.7 <= high;
  }
  EXPECT_NEAR(covered / 2000.0, 1 - 12.0 / 128, 0.02);  // j = ⌊0.1 · 128⌋
}

TEST(SignFlip, RefusesWhatHasNoMean) {
  EXPECT_THROW(sign_flip({}), OptionError);
  EXPECT_THROW(sign_flip({1, NAN}), OptionError);
  EXPECT_THROW(sign_flip({1, 2}, {.confidence = 1}), OptionError);
  EXPECT_THROW(sign_flip({1, 2}, {.exact_up_to = 40}), OptionError);
}

}  // namespace
}  // namespace namid
