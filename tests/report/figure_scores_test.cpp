// SPDX-License-Identifier: Apache-2.0
#include "namid/report/figure_scores.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace namid::report {
namespace {

using nlohmann::json;

json study(double natural, double extra) {
  return {{"critics",
           {{{"objective", "natural"},
             {"fig2",
              {{"pgd-10", {{"natural_on_natural", {{"mean", natural}, {"sem", 0.1}}}}},
               {"apgd-t", {{"natural_on_natural", {{"mean", extra}, {"sem", 0.1}}}}}}}}}}};
}

TEST(FigureScores, ThePapersValuesComeFirstAndWhatTheyLackLast) {
  const auto rows = figure_scores("fig2", {study(1, 5), study(2, 6), study(3, 7)});
  ASSERT_EQ(rows.size(), 16u);  // 5 attacks of 3 scores, and one of ours
  EXPECT_DOUBLE_EQ(rows[0]["published"].get<double>(), 0.485);
  EXPECT_DOUBLE_EQ(rows[0]["mean"].get<double>(), 2);
  EXPECT_DOUBLE_EQ(rows[0]["sd"].get<double>(), 1);
  EXPECT_TRUE(rows[1]["mean"].is_null());
  EXPECT_TRUE(rows[15]["published"].is_null());
  EXPECT_DOUBLE_EQ(rows[15]["mean"].get<double>(), 6);
}

TEST(FigureScores, LinesSayWhatIsNotAvailable) {
  const auto lines = score_lines(figure_scores("fig2", {study(1, 5)}));
  EXPECT_EQ(lines[1],
            (std::vector<std::string>{"natural", "pgd-10", "I(x; h(x))", "0.485", "1.000", "1"}));
  EXPECT_EQ(lines[2][4], "not available");
  EXPECT_EQ(lines[16],
            (std::vector<std::string>{"natural", "apgd-t", "I(x; h(x))", "", "5.000", "1"}));
}

TEST(FigureScores, Figure4HasFourScoresOfTwoEstimators) {
  const auto rows = figure_scores("fig4", {});
  ASSERT_EQ(rows.size(), 8u);
  // The paper's claim: estimators of Eq. 5 tell the two apart further than those of Eq. 4.
  const auto gap = [&](std::size_t i) {
    return rows[i]["published"].get<double>() - rows[i + 1]["published"].get<double>();
  };
  EXPECT_GT(gap(4), gap(0));
}

}  // namespace
}  // namespace namid::report
