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

TEST(IncompleteBeta, HasItsClosedForms) {
  for (const double x : {0.0, 0.01, 0.3, 0.5, 0.77, 0.999, 1.0}) {
    EXPECT_NEAR(incomplete_beta(x, 1, 1), x, 1e-15);
    EXPECT_NEAR(incomplete_beta(x, 3, 1), x * x * x, 1e-14);
    EXPECT_NEAR(incomplete_beta(x, 1, 4), 1 - std::pow(1 - x, 4), 1e-14);
    EXPECT_NEAR(incomplete_beta(x, 0.5, 0.5), 2 / M_PI * std::asin(std::sqrt(x)), 1e-14);
  }
}

}  // namespace
}  // namespace namid
