// SPDX-License-Identifier: Apache-2.0
#include "namid/core/power.h"

#include <gtest/gtest.h>

#include <cmath>

#include "namid/core/paired_tests.h"

namespace namid {
namespace {

TEST(PairedPower, IsTheLevelWithoutAnEffectAndGrowsWithIt) {
  for (const std::int64_t pairs : {2, 5, 40}) {
    EXPECT_NEAR(paired_power(0, 1, pairs, 0.05), 0.05, 1e-12);
    EXPECT_NEAR(paired_power(0.4, 1, pairs), paired_power(-0.4, 1, pairs), 1e-12);
    EXPECT_LT(paired_power(0.4, 1, pairs), paired_power(0.5, 1, pairs));
    EXPECT_NEAR(paired_power(0.4, 1, pairs), paired_power(0.04, 0.1, pairs), 1e-12);
  }
}

TEST(DetectableEffect, HasThePowerAskedFor) {
  for (const std::int64_t pairs : {2, 3, 5, 20, 1000})
    for (const double alpha : {0.01, 0.05}) {
      const double effect = detectable_effect(0.7, pairs, {.alpha = alpha, .power = 0.9});
      EXPECT_NEAR(paired_power(effect, 0.7, pairs, alpha), 0.9, 1e-9) << pairs;
    }
  EXPECT_EQ(detectable_effect(0, 5), 0);
}

TEST(DetectableEffect, ApproachesTheNormalFormula) {
  EXPECT_NEAR(detectable_effect(1, 100000) * std::sqrt(100000.0), 1.959964 + 0.841621, 1e-4);
}

TEST(McNemarPower, IsTheShareOfOutcomesThatTheTestRejects) {
  const std::int64_t n = 25;
  for (const double difference : {0.0, 0.2, 0.45}) {
    const double a = (0.5 + difference) / 2, b = (0.5 - difference) / 2;
    double rejected = 0;
    for (std::int64_t i = 0; i <= n; ++i)
      for (std::int64_t j = 0; i + j <= n; ++j)
        if (mcnemar({i, j, n}).p_value <= 0.05)
          rejected += std::exp(std::lgamma(n + 1) - std::lgamma(i + 1) - std::lgamma(j + 1) -
                               std::lgamma(n - i - j + 1) + i * std::log(a) + j * std::log(b) +
                               (n - i - j) * std::log(0.5));
    EXPECT_NEAR(mcnemar_power(difference, 0.5, n), rejected, 1e-12);
    EXPECT_NEAR(mcnemar_power(-difference, 0.5, n), rejected, 1e-12);
  }
  EXPECT_LE(mcnemar_power(0, 0.5, n), 0.05);
}

TEST(DetectableDifference, HasThePowerAskedForAndShrinksWithImages) {
  double last = 1;
  for (const std::int64_t images : {200, 1000, 10000}) {
    const double found = detectable_difference(0.1, images).value();
    EXPECT_NEAR(mcnemar_power(found, 0.1, images), 0.8, 1e-9);
    EXPECT_LT(found, last);
    last = found;
  }
  // Connor 1987: Δ ≈ (1.96 + 0.84) √(discordance / n).
  EXPECT_NEAR(last, (1.959964 + 0.841621) * std::sqrt(0.1 / 10000), 0.0003);
}

TEST(DetectableDifference, IsNoneWhereNoDifferenceCouldBeFound) {
  EXPECT_FALSE(detectable_difference(0.1, 20).has_value());
  EXPECT_TRUE(detectable_difference(1, 20).has_value());
}

TEST(Power, RefusesDesignsWithoutAnAnswer) {
  EXPECT_THROW(detectable_effect(1, 1), OptionError);
  EXPECT_THROW(detectable_effect(-1, 5), OptionError);
  EXPECT_THROW(detectable_effect(1, 5, {.alpha = 0.3, .power = 0.2}), OptionError);
  EXPECT_THROW(paired_power(1, 0, 5), OptionError);
  EXPECT_THROW(paired_power(NAN, 1, 5), OptionError);
  EXPECT_THROW(mcnemar_power(0.2, 0.1, 100), OptionError);
  EXPECT_THROW(mcnemar_power(0.2, 1.1, 100), OptionError);
  EXPECT_THROW(detectable_difference(0, 100), OptionError);
  EXPECT_THROW(detectable_difference(0.1, 0), OptionError);
}

}  // namespace
}  // namespace namid
