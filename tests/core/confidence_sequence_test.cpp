// SPDX-License-Identifier: Apache-2.0
#include "namid/core/confidence_sequence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <iostream>

#include "namid/core/random.h"

namespace namid {
namespace {

/// The interval after t draws with k successes, as [t][k].
using Intervals = std::vector<std::vector<CountInterval>>;

Intervals all_intervals(std::int64_t n, const ConfidenceSequenceOptions& options) {
  Intervals out;
  for (std::int64_t t = 0; t <= n; ++t) {
    auto& row = out.emplace_back();
    for (std::int64_t k = 0; k <= t; ++k) {
      ConfidenceSequence sequence(n, options);
      sequence.add(k, t);
      row.push_back(sequence.counts());
    }
  }
  return out;
}

/// Clopper-Pearson of k of t, as counts of n.
Intervals clopper_pearson_intervals(std::int64_t n) {
  Intervals out;
  for (std::int64_t t = 0; t <= n; ++t) {
    auto& row = out.emplace_back();
    for (std::int64_t k = 0; k <= t; ++k) {
      const auto [low, high] = clopper_pearson(k, t);
      row.push_back({static_cast<std::int64_t>(std::ceil(low * static_cast<double>(n))),
                     static_cast<std::int64_t>(std::floor(high * static_cast<double>(n)))});
    }
  }
  return out;
}

/// The exact probability that some interval misses `truth`, over all orders of the n images.
double miss_probability(const Intervals& intervals, std::int64_t truth) {
  const auto n = static_cast<std::int64_t>(intervals.size()) - 1;
  double missed = 0;
  std::vector<double> here = {1};  // by k, of the orders that did not miss so far
  for (std::int64_t t = 0; t < n; ++t) {
    std::vector<double> next(static_cast<std::size_t>(t) + 2);
    for (std::size_t k = 0; k < here.size(); ++k) {
      const double success =
          static_cast<double>(truth - static_cast<std::int64_t>(k)) / static_cast<double>(n - t);
      next[k + 1] += here[k] * success;
      next[k] += here[k] * (1 - success);
    }
    for (std::size_t k = 0; k < next.size(); ++k) {
      const auto& interval = intervals[static_cast<std::size_t>(t) + 1][k];
      if (interval.low <= truth && truth <= interval.high) continue;
      missed += next[k];
      next[k] = 0;
    }
    here = std::move(next);
  }
  return missed;
}

TEST(ConfidenceSequence, MissesNoTruthMoreOftenThanAlphaOverAllOrders) {
  const ConfidenceSequenceOptions cases[] = {
      {}, {.alpha = 0.2}, {.prior_a = 5, .prior_b = 2}, {.prior_a = 0.3, .prior_b = 0.3}};
  for (const auto& options : cases) {
    const auto intervals = all_intervals(120, options);
    double largest = 0;
    for (std::int64_t truth = 0; truth <= 120; ++truth)
      largest = std::max(largest, miss_probability(intervals, truth));
    EXPECT_LE(largest, options.alpha);
    EXPECT_GT(largest, options.alpha / 5);  // not by never excluding anything
  }
}

TEST(ConfidenceSequence, HoldsWhereClopperPearsonAtEachStepDoesNot) {
  EXPECT_GT(miss_probability(clopper_pearson_intervals(120), 54), 0.1);
}

TEST(ConfidenceSequence, IsTheTruthOnceAllImagesAreSeen) {
  const Random random(0, "test");
  for (const std::int64_t n : {1, 2, 7, 60})
    for (std::int64_t truth = 0; truth <= n; ++truth) {
      ConfidenceSequence sequence(n, {.alpha = 0.5});  // misses often on the way
      for (const auto image : random.permutation(n, static_cast<std::uint32_t>(truth)))
        sequence.add(image < truth);
      EXPECT_EQ(sequence.counts(), (CountInterval{truth, truth})) << n;
      EXPECT_TRUE(sequence.within(0));
    }
}

TEST(ConfidenceSequence, IsKnownOnlyByWhatIsPossibleAtFirst) {
  ConfidenceSequence sequence(10);
  EXPECT_EQ(sequence.counts(), (CountInterval{0, 10}));
  sequence.add(true);
  EXPECT_EQ(sequence.counts(), (CountInterval{1, 10}));
  sequence.add(false);
  EXPECT_EQ(sequence.counts(), (CountInterval{1, 9}));
  EXPECT_EQ(sequence.log_ratio(0), INFINITY);
  EXPECT_EQ(sequence.log_ratio(10), INFINITY);
  EXPECT_EQ(sequence.interval().low, 0.1);
  EXPECT_EQ(sequence.interval().high, 0.9);
}

TEST(ConfidenceSequence, NeverWidensWithIntersectionAndForgetsWithout) {
  ConfidenceSequence running(500), latest(500, {.intersect = false});
  const auto add = [&](std::int64_t successes, std::int64_t draws) {
    const auto before = running.counts();
    running.add(successes, draws);
    latest.add(successes, draws);
    EXPECT_GE(running.counts().low, before.low);
    EXPECT_LE(running.counts().high, before.high);
    EXPECT_GE(running.counts().low, latest.counts().low);
    EXPECT_LE(running.counts().high, latest.counts().high);
  };
  for (int i = 0; i < 20; ++i) add(1, 1);
  const auto early = latest.counts();
  for (int i = 0; i < 25; ++i) add(i % 3 == 0, 1);
  EXPECT_LT(latest.counts().low, early.low);
  EXPECT_GE(running.counts().low, early.low);
}

TEST(ConfidenceSequence, StartsAgainWhenNothingIsLeft) {
  ConfidenceSequence sequence(2000);
  sequence.add(40, 40);
  const auto early = sequence.counts();
  sequence.add(0, 400);  // no K explains both
  ConfidenceSequence latest(2000, {.intersect = false});
  latest.add(40, 440);
  EXPECT_LT(latest.counts().high, early.low);
  EXPECT_EQ(sequence.counts(), latest.counts());
}

TEST(ConfidenceSequence, TakesBatchesAsOneLook) {
  ConfidenceSequence single(300, {.intersect = false}), batch(300, {.intersect = false});
  for (int i = 0; i < 90; ++i) single.add(i % 3 == 0);
  batch.add(10, 50);
  batch.add(20, 40);
  EXPECT_EQ(batch.draws(), 90);
  EXPECT_EQ(batch.successes(), 30);
  EXPECT_EQ(batch.counts(), single.counts());
}

TEST(ConfidenceSequence, HasARatioOfMeanOneAtTheTruth) {
  // N = 40, K = 15, t = 10: E[R] = Σ_k P(k | K) R(K), hypergeometric P.
  double mean = 0;
  for (std::int64_t k = 0; k <= 10; ++k) {
    ConfidenceSequence sequence(40, {.prior_a = 2, .prior_b = 0.7});
    sequence.add(k, 10);
    double probability = 1;
    for (std::int64_t i = 0; i < 10; ++i) {  // C(10, k) (15)_k (25)_(10-k) / (40)_10
      const double ways = i < k ? 15.0 - i : 25.0 - (i - k);
      probability *= ways / (40.0 - i) * (i < k ? (10.0 - i) / (k - i) : 1.0);
    }
    mean += probability * std::exp(sequence.log_ratio(15));
  }
  EXPECT_NEAR(mean, 1, 1e-12);
}

TEST(ConfidenceSequence, StaysSharpForMillionsOfImages) {
  ConfidenceSequence sequence(1'000'000'000);
  sequence.add(450'000, 1'000'000);
  const auto [low, high] = sequence.interval();
  EXPECT_NEAR(low, 0.45, 0.003);
  EXPECT_NEAR(high, 0.45, 0.003);
  EXPECT_TRUE(sequence.within(0.005));
  EXPECT_FALSE(sequence.within(0.001));
}

TEST(ConfidenceSequence, RefusesWhatDoesNotFitTheSet) {
  EXPECT_THROW(ConfidenceSequence(0), OptionError);
  EXPECT_THROW(ConfidenceSequence(10, {.alpha = 0}), OptionError);
  EXPECT_THROW(ConfidenceSequence(10, {.prior_a = 0}), OptionError);
  ConfidenceSequence sequence(10);
  EXPECT_THROW(sequence.add(2, 1), OptionError);
  EXPECT_THROW(sequence.add(-1, 1), OptionError);
  EXPECT_THROW(sequence.add(0, 11), OptionError);
  sequence.add(4, 10);
  EXPECT_THROW(sequence.add(true), OptionError);
}

/// For each number t of draws the successes at which Clopper-Pearson holds the share p.
std::vector<CountInterval> clopper_pearson_holds(std::int64_t n, double p) {
  std::vector<CountInterval> out = {{0, 0}};
  for (std::int64_t t = 1; t <= n; ++t) {
    auto [low, high] = out.back();  // both grow by at most 1 with t
    low += clopper_pearson(low, t).high < p;
    high += clopper_pearson(high + 1, t).low <= p;
    out.push_back({low, high});
  }
  return out;
}

/// Simulated complete evaluations, stopped by whoever wants the truth excluded.
void simulate(std::int64_t truth) {
  constexpr std::int64_t kImages = 1000, kRuns = 10000;
  const auto holds = clopper_pearson_holds(kImages, static_cast<double>(truth) / kImages);
  const Random random(7, "test");
  std::int64_t sequence_misses = 0, clopper_pearson_misses = 0;
  for (std::int64_t run = 0; run < kRuns; ++run) {
    ConfidenceSequence sequence(kImages);
    std::array<std::uint32_t, 4> words = {};
    bool missed = false, other_missed = false;
    for (std::int64_t t = 0; t < kImages && !(missed && other_missed); ++t) {
      if (t % 4 == 0)
        words = random.words({.sample = static_cast<std::uint64_t>(run)},
                             static_cast<std::uint16_t>(t / 4));
      const auto left = static_cast<std::uint64_t>(kImages - t);
      const auto image = static_cast<std::int64_t>(words[t % 4] * left >> 32);
      sequence.add(image < truth - sequence.successes());
      const auto [low, high] = sequence.counts();
      missed |= truth < low || high < truth;
      const auto& fit = holds[static_cast<std::size_t>(t) + 1];
      other_missed |= sequence.successes() < fit.low || fit.high < sequence.successes();
    }
    sequence_misses += missed;
    clopper_pearson_misses += other_missed;
  }
  std::cout << truth << " of 1000: the sequence misses in " << sequence_misses
            << " of 10000 runs, Clopper-Pearson at each step in " << clopper_pearson_misses << "\n";
  EXPECT_LE(sequence_misses, kRuns / 20);
  EXPECT_GT(clopper_pearson_misses, kRuns / 20);
}

TEST(ConfidenceSequenceSlow, HoldsUnderTheWorstStoppingRuleAtOnePercent) {
  simulate(10);
}
TEST(ConfidenceSequenceSlow, HoldsUnderTheWorstStoppingRuleAtFortyFivePercent) {
  simulate(450);
}
TEST(ConfidenceSequenceSlow, HoldsUnderTheWorstStoppingRuleAtNinetyFivePercent) {
  simulate(950);
}

}  // namespace
}  // namespace namid
