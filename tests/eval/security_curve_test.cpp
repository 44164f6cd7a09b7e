// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/security_curve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "namid/core/error.h"
#include "support/errors.h"

namespace namid::eval {
namespace {

using testing::message_of;

constexpr double kEver = std::numeric_limits<double>::infinity();

TEST(SecurityCurve, IsTheSurvivalFunctionOfTheRadiiTiesAndNaturalErrorsIncluded) {
  const SecurityCurve curve({0.3, 0, 0.1, 0.1, kEver}, 1);
  EXPECT_EQ(curve.n(), 5);
  EXPECT_EQ(curve.censored(), 1);
  EXPECT_DOUBLE_EQ(curve.robust(0), 4. / 5);  // radius 0 is broken at 0
  EXPECT_DOUBLE_EQ(curve.robust(std::nextafter(0.1, 0)), 4. / 5);
  EXPECT_DOUBLE_EQ(curve.robust(0.1), 2. / 5);  // continuous from the right
  EXPECT_DOUBLE_EQ(curve.robust(0.3), 1. / 5);
  EXPECT_DOUBLE_EQ(curve.robust(1), 1. / 5);
  const auto points = curve.points(10);
  ASSERT_EQ(points.size(), 3u);  // 0, 0.1, 0.3
  EXPECT_EQ(points[1].epsilon, 0.1);
  EXPECT_DOUBLE_EQ(points[1].robust, 2. / 5);
}

TEST(SecurityCurve, QuantilesAreRadiiOfOrderStatisticsAndNothingBeyondTheReach) {
  std::vector<double> radii;
  for (int i = 1; i <= 10; ++i) radii.push_back(i <= 8 ? i / 10. : kEver);
  const SecurityCurve curve(radii, 1);
  EXPECT_DOUBLE_EQ(curve.quantile(0.5).value.value(), 0.5);
  EXPECT_DOUBLE_EQ(curve.quantile(0.7).value.value(), 0.7);  // 0.7 · 10 rounds up in binary
  EXPECT_DOUBLE_EQ(curve.quantile(0.71).value.value(), 0.8);
  EXPECT_DOUBLE_EQ(curve.quantile(0.8).value.value(), 0.8);
  EXPECT_FALSE(curve.quantile(0.81).value);
  EXPECT_FALSE(curve.quantile(1).value);
  // δ = sqrt(ln 40 / 20) = 0.4295: between the radii at shares 0.0705 and 0.9295.
  EXPECT_NEAR(curve.half_width(), 0.42947, 1e-5);
  EXPECT_DOUBLE_EQ(curve.quantile(0.5).lower.value(), 0.1);
  EXPECT_FALSE(curve.quantile(0.5).upper);
}

TEST(SecurityCurve, TheBandHoldsEverywhereAtOnceAtItsLevel) {
  constexpr int kDraws = 400, kImages = 100;
  constexpr double kLevel = 0.8, kBreakable = 0.9;
  std::mt19937_64 engine(7);
  const auto uniform = [&] { return static_cast<double>(engine() >> 11) * 0x1p-53; };
  int covered = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    std::vector<double> radii;
    for (int i = 0; i < kImages; ++i) {
      const double u = uniform();
      radii.push_back(u < kBreakable ? u : kEver);  // survival 1 − ε up to 0.9, then 0.1
    }
    const SecurityCurve curve(radii, 1, kLevel);
    bool inside = true;
    for (const auto& point : curve.points(1000)) {
      const double truth = 1 - point.epsilon, before = std::nextafter(point.epsilon, 0);
      inside = inside && curve.at(point.epsilon).band.low <= truth &&
               curve.at(before).band.high >= truth && curve.at(before).band.low <= truth &&
               curve.at(point.epsilon).band.high >= truth;
    }
    covered += inside;
  }
  EXPECT_GE(covered, kLevel * kDraws);
  EXPECT_LE(covered, 0.92 * kDraws);  // and is not wide for nothing
}

TEST(SecurityCurve, KeepsFirstAndLastOfMoreStepsThanAsked) {
  std::vector<double> radii;
  for (int i = 1; i <= 1000; ++i) radii.push_back(i / 1000.);
  const auto points = SecurityCurve(radii, 1).points(300);
  ASSERT_EQ(points.size(), 300u);
  EXPECT_EQ(points.front().epsilon, 0);
  EXPECT_EQ(points.back().epsilon, 1);
  for (std::size_t i = 1; i < points.size(); ++i) {
    EXPECT_GT(points[i].epsilon, points[i - 1].epsilon);
    EXPECT_LT(points[i].robust, points[i - 1].robust);
    EXPECT_LE(points[i - 1].robust - points[i].robust, 0.004 + 1e-12);
  }
}

TEST(SecurityCurve, ChecksItselfWhereAQuarterAHalfAndThreeQuartersOfTheRightImagesAreBroken) {
  std::vector<double> radii(20, 0.0);  // 20 natural errors, 80 right
  for (int i = 1; i <= 80; ++i) radii.push_back(i * 0.001);
  EXPECT_EQ(SecurityCurve(radii, 1).check_points(), (std::vector<double>{0.02, 0.04, 0.06}));
  const SecurityCurve tied(std::vector<double>(5, 0.2), 1);
  EXPECT_GE(tied.check_points().size(), 3u);
  const SecurityCurve unbroken({kEver, kEver}, 1);
  EXPECT_EQ(unbroken.check_points(), (std::vector<double>{0.25, 0.5, 0.75}));
}

TEST(SecurityCurve, SaysWhatIsWrongWithRadii) {
  EXPECT_EQ(message_of<OptionError>([] { SecurityCurve({}, 1); }),
            "[curve] expected at least one image, got none");
  EXPECT_EQ(message_of<OptionError>([] {
              SecurityCurve({0.5, 1.5}, 1);
            }),
            "[curve] radius: expected 0 to 1 or infinity, got 1.5");
  EXPECT_EQ(message_of<OptionError>([] { SecurityCurve({-0.5}, 1); }),
            "[curve] radius: expected 0 to 1 or infinity, got -0.5");
  EXPECT_EQ(message_of<OptionError>([] { SecurityCurve({0.5}, 1).quantile(0); }),
            "[curve] quantile: expected a share in (0, 1], got 0");
  EXPECT_THROW(SecurityCurve({0.5}, 1, 1), OptionError);
}

}  // namespace
}  // namespace namid::eval
