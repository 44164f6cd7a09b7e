// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "namid/report/html.h"
#include "namid/report/sections.h"
#include "report/has.h"
#include "report/markup_check.h"

namespace namid::report {
namespace {

using nlohmann::json;
using testing::has;

json point(double epsilon, double robust) {
  return {{"epsilon", epsilon},
          {"robust", robust},
          {"lower", robust - 0.125},
          {"upper", robust + 0.125}};
}

/// Robust 0.75 to 0.25 at 0.2; one anchor, a quarter below.
RunData curve_run(int censored) {
  json anchor = point(0.1, 0.25);
  anchor.update({{"attack", "apgd-t"},
                 {"curve", 0.5},
                 {"disagreement", 0.25},
                 {"attacked", 4},
                 {"broken", 2}});
  json curve = {{"norm", "linf"},
                {"points", {point(0, 0.75), point(0.1, 0.5), point(0.2, 0.25)}},
                {"reach", 1},
                {"censored", censored},
                {"median", nullptr},
                {"band", {{"method", "Dvoretzky-Kiefer-Wolfowitz-Massart"}, {"level", 0.95}}},
                {"anchors", json::array({anchor})},
                {"largest_disagreement", {{"epsilon", 0.1}, {"disagreement", 0.25}}},
                {"attacks", json::array()}};
  curve["attacks"].push_back(
      {{"name", "fmn<1>"}, {"attacked", 6}, {"broken", 4}, {"best_for", 4}, {"median", 0.15}});
  return {.path = {}, .record = {{"result", {{"curve", curve}}}}};
}

std::string section_of(const RunData& run) {
  Html page;
  page.open("main");
  add_security_curve(page, run);
  return page.close().markup();
}

TEST(SecurityCurveSection, DrawsStairsBandAnchorsAndTheTailOfWhatWasNeverBroken) {
  const auto page = section_of(curve_run(2));
  EXPECT_EQ(testing::MarkupCheck().run(page), "");
  // 0 lies at 44, 0.2 at 512; 100 % at 10, 0 % at 258: level, then down.
  EXPECT_TRUE(has(page, "d=\"M44 72H278V134H512V196\"")) << page;
  EXPECT_TRUE(has(page, "d=\"M512 196H548\"")) << page;
  EXPECT_TRUE(has(page, "stroke-dasharray"));
  // The band: 12.5 points above, and back 12.5 below.
  EXPECT_TRUE(has(page, "d=\"M44 41H278V103H512V165V227H512V165H278V103H44Z\"")) << page;
  EXPECT_TRUE(has(page, "anchor at 0.1: 25.0 % [12.5, 37.5]"));
  EXPECT_TRUE(has(page, "fmn&lt;1&gt;"));
  EXPECT_FALSE(has(page, "fmn<1>"));
}

TEST(SecurityCurveSection, SaysInWordsWhatThePictureShows) {
  const auto page = section_of(curve_run(2));
  EXPECT_TRUE(has(page, "falls from 75.0 % at epsilon 0 to 25.0 % at 0.2. 2 images were never"));
  EXPECT_TRUE(has(page, "Less than half of the images were broken."));
  EXPECT_TRUE(has(page, "Largest disagreement with an anchor: 25.0 points at epsilon 0.1."));
  EXPECT_TRUE(has(page, "2 of 4"));
  EXPECT_FALSE(has(section_of(curve_run(0)), "stroke-dasharray"));
}

TEST(SecurityCurveSection, IsLeftOutWithoutACurve) {
  EXPECT_EQ(section_of({.path = {}, .record = json::object()}), "<main></main>");
  EXPECT_EQ(section_of({.path = {}, .record = {{"result", {{"curve", json::object()}}}}}),
            "<main></main>");
}

}  // namespace
}  // namespace namid::report
