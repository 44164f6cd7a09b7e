// SPDX-License-Identifier: Apache-2.0
#include "namid/core/paired_sequence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <vector>

#include "namid/core/random.h"

namespace namid {
namespace {

PairedDraws draws(std::int64_t first, std::int64_t second, std::int64_t images, std::int64_t n) {
  return {.seen = {.only_first = first, .only_second = second, .images = images}, .population = n};
}

double choose(std::int64_t n, std::int64_t k) {
  if (k < 0 || k > n) return 0;
  double value = 1;
  for (std::int64_t i = 1; i <= k; ++i)
    value *= static_cast<double>(n - k + i) / static_cast<double>(i);
  return value;
}

/// Difference → the smallest ratio of prior and posterior among all triples with it, by summing
/// over every triple instead of the closed form of the mixture.
std::map<std::int64_t, double> ratios(const PairedDraws& draws) {
  const auto [first, second, images] = draws.seen;
  const auto n = draws.population, same = images - first - second;
  double mixture = 0, triples = 0;
  std::map<std::int64_t, double> likelihood;
  for (std::int64_t a = 0; a <= n; ++a) {
    for (std::int64_t b = 0; a + b <= n; ++b) {
      const double p = choose(a, first) * choose(b, second) * choose(n - a - b, same);
      mixture += p, ++triples;
      likelihood[a - b] = std::max(likelihood[a - b], p);
    }
  }
  for (auto& [difference, p] : likelihood) p = mixture / triples / p;
  return likelihood;
}

TEST(PairedSequence, HoldsEveryDifferenceThatAllTriplesKeepAndLittleMore) {
  const PairedDraws all[] = {draws(0, 0, 5, 20),  draws(3, 1, 10, 20), draws(6, 0, 12, 40),
                             draws(2, 9, 30, 40), draws(1, 1, 39, 40), draws(0, 0, 1, 30)};
  for (const auto& seen : all) {
    const auto look = paired_look(seen, 0.1);
    std::int64_t low = 1000, high = -1000;
    for (const auto& [difference, ratio] : ratios(seen)) {
      if (!std::isfinite(ratio)) continue;
      EXPECT_LE(paired_log_ratio(seen, difference), std::log(ratio) + 1e-6) << difference;
      if (ratio >= 10) continue;
      low = std::min(low, difference), high = std::max(high, difference);
    }
    EXPECT_LE(look.counts.low, low);
    EXPECT_GE(look.counts.high, high);
    EXPECT_LE(low - look.counts.low, 1) << "of " << seen.seen.images;
    EXPECT_LE(look.counts.high - high, 1) << "of " << seen.seen.images;
  }
}

TEST(PairedSequence, IsTheDifferenceItselfAfterAllImages) {
  const auto look = paired_look(draws(7, 12, 100, 100), 0.05);
  EXPECT_EQ(look.counts, (CountInterval{-5, -5}));
  EXPECT_DOUBLE_EQ(look.interval.low, -0.05);
  EXPECT_LT(look.p_value, 1e-300);
}

TEST(PairedSequence, SaysNothingBeforeTheFirstImage) {
  const auto look = paired_look(draws(0, 0, 0, 50), 0.05);
  EXPECT_EQ(look.counts, (CountInterval{-50, 50}));
  EXPECT_EQ(look.p_value, 1);
}

TEST(PairedSequence, TurnsRoundWithTheModels) {
  const auto one = paired_look(draws(9, 2, 60, 200)), other = paired_look(draws(2, 9, 60, 200));
  EXPECT_EQ(one.counts, (CountInterval{-other.counts.high, -other.counts.low}));
  EXPECT_NEAR(one.p_value, other.p_value, 1e-9);
}

TEST(PairedSequence, LeavesOutNoDifferenceWhereItsPValueIsSmall) {
  const auto near = paired_look(draws(12, 9, 300, 1000)),
             far = paired_look(draws(60, 9, 300, 1000));
  EXPECT_LE(near.interval.low, 0);
  EXPECT_GT(near.p_value, 0.05);
  EXPECT_GT(far.interval.low, 0);
  EXPECT_LT(far.p_value, 0.05);
}

TEST(PairedSequence, GrowsNarrowerThanHoeffdingWhereFewImagesDiffer) {
  // Hoeffding for one look at 1,000 differences in [-1, 1]: ± √(2 log(2/α) / t) = ± 0.086.
  const auto look = paired_look(draws(10, 10, 1000, 10000), 0.05);
  EXPECT_LT(look.interval.high - look.interval.low, 0.086);
  EXPECT_GT(look.interval.high, 0.01);
}

/// The share of random orders in which the true difference is ever excluded.
double missed(std::array<int, 3> kinds, double alpha, int orders) {
  std::vector<int> values;
  for (int kind = 0; kind < 3; ++kind) values.insert(values.end(), kinds[kind], kind);
  const auto n = static_cast<std::int64_t>(values.size());
  const auto truth = static_cast<std::int64_t>(kinds[0] - kinds[1]);
  const Random random(7, "paired-sequence");
  int misses = 0;
  for (int order = 0; order < orders; ++order) {
    PairedDraws now{.seen = {}, .population = n};
    for (const auto place : random.permutation(n, static_cast<std::uint32_t>(order))) {
      const int kind = values[static_cast<std::size_t>(place)];
      ++now.seen.images;
      now.seen.only_first += kind == 0;
      now.seen.only_second += kind == 1;
      if (paired_log_ratio(now, truth) < -std::log(alpha)) continue;
      ++misses;
      break;
    }
  }
  return misses / static_cast<double>(orders);
}

TEST(PairedSequence, HoldsTheTruthAtAllTimesAtOnceInTheStatedShareOfOrders) {
  // 400 orders: three standard deviations above 0.1 are 0.145.
  EXPECT_LE(missed({4, 4, 92}, 0.1, 400), 0.145);
  EXPECT_LE(missed({15, 5, 80}, 0.1, 400), 0.145);
  EXPECT_LE(missed({0, 30, 70}, 0.1, 400), 0.145);
  EXPECT_LE(missed({50, 50, 0}, 0.1, 400), 0.145);
}

TEST(PairedSequence, RefusesWhatCannotBe) {
  EXPECT_THROW(paired_look(draws(3, 3, 5, 10)), OptionError);
  EXPECT_THROW(paired_look(draws(0, 0, 11, 10)), OptionError);
  EXPECT_THROW(paired_look(draws(-1, 0, 5, 10)), OptionError);
  EXPECT_THROW(paired_look(draws(0, 0, 5, 10), 0), OptionError);
  EXPECT_THROW(paired_look(draws(0, 0, 5, 10), 0.6), OptionError);
  EXPECT_TRUE(std::isinf(paired_log_ratio(draws(0, 0, 5, 10), 6)));
}

}  // namespace
}  // namespace namid
