// SPDX-License-Identifier: Apache-2.0
#include "namid/core/multiple_tests.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "namid/core/options.h"

namespace namid {
namespace {

TEST(Holm, MultipliesByTheNumberOfTestsLeftAndNeverFalls) {
  const auto adjusted = holm({0.01, 0.04, 0.03, 0.005});
  const double expected[] = {0.03, 0.06, 0.06, 0.02};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(adjusted[i], expected[i], 1e-15);
}

TEST(Holm, IsAtMostOneAndLeavesASingleTestAlone) {
  EXPECT_EQ(holm({0.6, 0.9}), (std::vector<double>{1, 1}));
  EXPECT_EQ(holm({0.03}), (std::vector<double>{0.03}));
  EXPECT_TRUE(holm({}).empty());
}

/// Step-down as Holm states it: go through ascending p until one is above a / (tests left).
TEST(Holm, RejectsWhatTheStepDownProcedureRejects) {
  const std::vector<double> p{0.012, 0.2, 0.0101, 0.04, 0.001, 0.013};
  for (const double a : {0.005, 0.01, 0.05, 0.06, 0.1, 0.5}) {
    auto sorted = p;
    std::sort(sorted.begin(), sorted.end());
    std::size_t rejected = 0;
    while (rejected < p.size() && sorted[rejected] <= a / static_cast<double>(p.size() - rejected))
      ++rejected;
    const auto adjusted = holm(p);
    const auto count =
        std::count_if(adjusted.begin(), adjusted.end(), [&](double q) { return q <= a; });
    EXPECT_EQ(static_cast<std::size_t>(count), rejected) << a;
  }
}

TEST(Holm, RefusesWhatIsNoProbability) {
  EXPECT_THROW(holm({0.5, 1.5}), OptionError);
  EXPECT_THROW(holm({std::nan("")}), OptionError);
}

}  // namespace
}  // namespace namid
