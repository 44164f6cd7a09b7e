// SPDX-License-Identifier: Apache-2.0
#include "namid/core/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "namid/core/error.h"

namespace namid {
namespace {

struct Case {
  std::int64_t successes, n;
  double confidence, low, high;
};
constexpr Case kCases[] = {
#include "core/clopper_pearson.inc"
};

TEST(ClopperPearson, AgreesWithScipy) {
  for (const auto& expected : kCases) {
    const auto found = clopper_pearson(expected.successes, expected.n, expected.confidence);
    EXPECT_NEAR(found.low, expected.low, 1e-10) << expected.successes << "/" << expected.n;
    EXPECT_NEAR(found.high, expected.high, 1e-10) << expected.successes << "/" << expected.n;
  }
}

TEST(ClopperPearson, HasClosedFormsAtTheEnds) {
  for (const std::int64_t n : {1, 2, 7, 100, 10000}) {
    const double bound = 1 - std::pow(0.025, 1.0 / static_cast<double>(n));
    EXPECT_EQ(clopper_pearson(0, n).low, 0);
    EXPECT_NEAR(clopper_pearson(0, n).high, bound, 1e-12);
    EXPECT_NEAR(clopper_pearson(n, n).low, 1 - bound, 1e-12);
    EXPECT_EQ(clopper_pearson(n, n).high, 1);
  }
  EXPECT_EQ(clopper_pearson(0, 0).low, 0);
  EXPECT_EQ(clopper_pearson(0, 0).high, 1);
}

TEST(ClopperPearson, IsSymmetricAndHoldsTheProportion) {
  for (std::int64_t k = 0; k <= 40; ++k) {
    const auto here = clopper_pearson(k, 40), mirrored = clopper_pearson(40 - k, 40);
    EXPECT_NEAR(here.low, 1 - mirrored.high, 1e-12);
    EXPECT_LE(here.low, static_cast<double>(k) / 40);
    EXPECT_GE(here.high, static_cast<double>(k) / 40);
  }
}

TEST(ClopperPearson, RefusesWhatIsNoProportion) {
  EXPECT_THROW(clopper_pearson(3, 2), OptionError);
  EXPECT_THROW(clopper_pearson(-1, 2), OptionError);
  EXPECT_THROW(clopper_pearson(1, 2, 0), OptionError);
  EXPECT_THROW(clopper_pearson(1, 2, 1), OptionError);
  EXPECT_THROW(clopper_pearson(1, 2, std::nan("")), OptionError);
}

TEST(RobustBounds, AreTheLimitsOfTheSharesNotBrokenAndCertified) {
  const auto bounds = robust_bounds(450, 1000, 300, 0.99);
  EXPECT_EQ(bounds.upper, clopper_pearson(450, 1000, 0.99).high);
  EXPECT_EQ(bounds.lower.value(), clopper_pearson(300, 1000, 0.99).low);
  EXPECT_LT(*bounds.lower, bounds.upper);
}

TEST(RobustBounds, HaveNoLowerEndWithoutCertificates) {
  EXPECT_FALSE(robust_bounds(1000, 1000).lower.has_value());
  EXPECT_EQ(robust_bounds(1000, 1000).upper, 1);
  EXPECT_EQ(robust_bounds(450, 1000, 0).lower.value(), 0);  // certificates that prove nothing
}

TEST(RobustBounds, RefuseACertifiedImageThatIsBroken) {
  EXPECT_THROW(robust_bounds(450, 1000, 451), OptionError);
  EXPECT_THROW(robust_bounds(450, 1000, -1), OptionError);
  EXPECT_THROW(robust_bounds(11, 10), OptionError);
  EXPECT_THROW(robust_bounds(-1, 10), OptionError);
  EXPECT_THROW(robust_bounds(0, 0), OptionError);
  EXPECT_THROW(robust_bounds(1, 10, 1, 1), OptionError);
}

}  // namespace
}  // namespace namid
