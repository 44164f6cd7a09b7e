// SPDX-License-Identifier: Apache-2.0
#include "namid/report/svg.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "namid/report/shapes.h"
#include "namid/report/ticks.h"
#include "report/has.h"
#include "report/markup_check.h"

namespace namid::report {
namespace {

using testing::has;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<std::string> labels(const Ticks& ticks) {
  std::vector<std::string> texts;
  for (const double value : ticks.values) texts.push_back(tick_label(value, ticks.step));
  return texts;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

std::string drawn(const LineChart& chart) {
  const std::string svg = line_chart(chart).markup();
  EXPECT_EQ(namid::testing::markup_fault(svg), "");
  EXPECT_FALSE(has(svg, "nan")) << svg;
  EXPECT_FALSE(has(svg, "inf")) << svg;
  return svg;
}

TEST(Ticks, AreRoundNumbersThatCoverTheRange) {
  EXPECT_EQ(labels(round_ticks(0, 1)),
            (std::vector<std::string>{"0", "0.2", "0.4", "0.6", "0.8", "1.0"}));
  EXPECT_EQ(labels(round_ticks(0, 100)),
            (std::vector<std::string>{"0", "20", "40", "60", "80", "100"}));
  EXPECT_EQ(labels(round_ticks(1.03, 2.31)),
            (std::vector<std::string>{"1.0", "1.5", "2.0", "2.5"}));
  EXPECT_EQ(labels(round_ticks(-10.2, 2.4)),
            (std::vector<std::string>{"-15", "-10", "-5", "0", "5"}));
  EXPECT_EQ(labels(round_ticks(0.0005, 0.05, 6)),
            (std::vector<std::string>{"0", "0.01", "0.02", "0.03", "0.04", "0.05"}));
}

TEST(Ticks, HoldForAnyRange) {
  const double values[] = {0, 1, -1, 1e-300, 1e-9, 0.3, 7, 1e9, -1e300, 1e308, kNaN, kInfinity};
  for (const double low : values) {
    for (const double high : values) {
      const Ticks ticks = round_ticks(low, high);
      ASSERT_GE(ticks.values.size(), 2u) << low << ' ' << high;
      ASSERT_LE(ticks.values.size(), 12u) << low << ' ' << high;
      EXPECT_TRUE(std::isfinite(ticks.position(0.5))) << low << ' ' << high;
      for (std::size_t i = 1; i < ticks.values.size(); ++i) {
        EXPECT_LT(ticks.values[i - 1], ticks.values[i]) << low << ' ' << high;
      }
      if (std::isfinite(low) && std::isfinite(high) &&
          std::max(std::abs(low), std::abs(high)) <= 1e300) {
        EXPECT_LE(ticks.low, std::min(low, high) + ticks.step * 1e-6);
        EXPECT_GE(ticks.high, std::max(low, high) - ticks.step * 1e-6);
      }
    }
  }
}

TEST(Ticks, WithinARangeStayInside) {
  const Ticks ticks = ticks_within(1, 12, 7);
  EXPECT_EQ(labels(ticks), (std::vector<std::string>{"2", "4", "6", "8", "10", "12"}));
  EXPECT_EQ(ticks.low, 1);
  EXPECT_EQ(ticks.high, 12);
  EXPECT_EQ(ticks_within(3, 3).values.size(), round_ticks(3, 3).values.size());
}

TEST(Ticks, LabelsHaveTheDecimalsOfTheirStep) {
  EXPECT_EQ(tick_label(0.25, 0.05), "0.25");
  EXPECT_EQ(tick_label(-1e-17, 0.1), "0");
  EXPECT_EQ(tick_label(2e7, 1e7), "2e+07");
  EXPECT_EQ(tick_label(3e-6, 1e-6), "3e-06");
}

TEST(LineChart, DrawsEachSeriesWithItsNameAtItsEnd) {
  const std::string svg = drawn({.title = "Loss",
                                 .x_name = "epoch",
                                 .unit = "",
                                 .series = {{"a<b", 0, {{1, 2.0}, {2, 1.5}, {3, 1.25}}},
                                            {"other", 1, {{1, 1.0}, {3, 0.5}}}}});
  EXPECT_EQ(count(svg, "<path class=\"line"), 2u);
  EXPECT_EQ(count(svg, "<circle"), 5u);
  EXPECT_TRUE(has(svg, ">a&lt;b</text>"));
  EXPECT_TRUE(has(svg, "<title>a&lt;b, epoch 3: 1.25</title>"));
  EXPECT_TRUE(
      has(svg, "role=\"img\" aria-label=\"Line chart of Loss by epoch. a&lt;b: from 2 to 1.25."));
}

TEST(LineChart, OnePointIsADot) {
  const std::string svg =
      drawn({.title = "t", .x_name = "epoch", .series = {{"s", 0, {{1, 0.5}}}}});
  EXPECT_EQ(count(svg, "<circle"), 1u);
}

TEST(LineChart, ConstantSeriesLiesInsideTheFrame) {
  for (const double value : {0.0, 5.0, -3.0, 1e-300, 1e300}) {
    const std::string svg = drawn(
        {.title = "t", .x_name = "x", .series = {{"s", 0, {{1, value}, {2, value}, {3, value}}}}});
    EXPECT_EQ(count(svg, "<circle"), 3u) << value;
  }
}

TEST(LineChart, NotFiniteValuesAreGaps) {
  const std::string svg =
      drawn({.title = "t",
             .x_name = "x",
             .series = {{"s", 0, {{1, 1}, {2, kNaN}, {3, 2}, {4, kInfinity}, {5, 3}}}}});
  const auto path = svg.find(" d=\"");
  EXPECT_EQ(count(svg.substr(path, svg.find('"', path + 4) - path), "M"), 3u);
  EXPECT_EQ(count(svg, "<circle"), 3u);
}

TEST(LineChart, WithoutAFiniteValueSaysSo) {
  EXPECT_TRUE(has(drawn({.title = "Loss", .x_name = "x", .series = {{"s", 0, {{1, kNaN}}}}}),
                  "Loss: no finite value was recorded."));
  EXPECT_TRUE(has(drawn({.title = "Loss", .x_name = "x", .series = {}}), "no finite value"));
}

TEST(LineChart, NamesAtTheSameHeightArePushedApart) {
  const std::string svg = drawn({.title = "t",
                                 .x_name = "x",
                                 .series = {{"one", 0, {{1, 1}, {2, 2}}},
                                            {"two", 1, {{1, 1.1}, {2, 2}}},
                                            {"six", 2, {{1, 1.2}, {2, 2}}}}});
  std::vector<double> heights;
  for (const char* name : {">one</text>", ">two</text>", ">six</text>"}) {
    const auto end = svg.find(name);
    const auto start = svg.rfind(" y=\"", end) + 4;
    heights.push_back(std::stod(svg.substr(start, end - start)));
  }
  std::sort(heights.begin(), heights.end());
  EXPECT_GE(heights[1] - heights[0], 12);
  EXPECT_GE(heights[2] - heights[1], 12);
}

TEST(IntervalChart, SaysNumbersBesideDotsAndInTooltips) {
  const Interval bounded{"robust", 1, 0.639, {{0.609, 0.669}}, 0.95};
  const std::string svg =
      interval_chart("Accuracy", {{"standard & co", {bounded, {"plain", 0, 0.5}}}}).markup();
  EXPECT_EQ(namid::testing::markup_fault(svg), "");
  EXPECT_TRUE(has(svg, ">63.9 % [60.9, 66.9]</text>"));
  EXPECT_TRUE(has(svg, "<title>robust: 63.9 % [60.9, 66.9], 95 % interval</title>"));
  EXPECT_TRUE(has(svg, ">50.0 %</text>"));
  EXPECT_TRUE(has(svg, "standard &amp; co"));
  EXPECT_EQ(count(svg, "class=\"whisker"), 3u) << "one line and two ends, for the bounded one only";
}

TEST(IntervalChart, WithoutGroupsIsAnEmptyAxis) {
  EXPECT_EQ(namid::testing::markup_fault(interval_chart("Accuracy", {}).markup()), "");
}

TEST(Histogram, BinsHoldEveryValueFromZeroOn) {
  const double nan = std::nan("");
  EXPECT_EQ(bin_counts({0, 0.24, 0.25, 0.5, 1, 7, -1, nan}, 1, 4),
            (std::vector<std::int64_t>{2, 1, 1, 2}));
}

TEST(Histogram, BarsSayTheirCounts) {
  const std::string svg =
      histogram({.title = "norms", .x_name = "L2 <b>", .values = {0.1, 0.1, 0.9}, .bins = 2})
          .markup();
  EXPECT_EQ(namid::testing::markup_fault(svg), "");
  EXPECT_TRUE(has(svg, "<title>2 of 3 in [0, 0.5)</title>"));
  EXPECT_TRUE(has(svg, "<title>1 of 3 in [0.5, 1]</title>"));
  EXPECT_TRUE(has(svg, "L2 &lt;b&gt;"));
  EXPECT_EQ(count(svg, "<rect"), 2u);
}

TEST(Shapes, ShortenCountsLettersNotBytes) {
  EXPECT_EQ(shortened("äöüäöü", 6), "äöüäöü");
  EXPECT_EQ(shortened("äöüäöü", 4), "äöü…");
  EXPECT_EQ(coordinate(-0.04), "0");
  EXPECT_EQ(coordinate(12.34), "12.3");
}

}  // namespace
}  // namespace namid::report
