// SPDX-License-Identifier: Apache-2.0
#include "namid/report/published.h"

#include <gtest/gtest.h>

#include <map>

namespace namid::report {
namespace {

TEST(Published, EveryRowHasAValueForEachColumnOfItsTable) {
  for (const auto& row : published_rows())
    EXPECT_EQ(row.values.size(), published_columns(row.table).size()) << row.table << row.defense;
}

TEST(Published, TablesHaveThePapersNumberOfRows) {
  std::map<std::string, int> rows;
  for (const auto& row : published_rows()) ++rows[row.table];
  const std::map<std::string, int> expected = {{"3", 14}, {"4", 14},   {"5", 6},
                                               {"6", 6},  {"fig5", 5}, {"fig7", 2}};
  EXPECT_EQ(rows, expected);
}

TEST(Published, RelativeGainsAreThoseOfThePapersText) {
  const auto pgd = [](const char* defense) {
    return find_published("3", "cifar10", "linf", defense)->values.at(1)->mean;
  };
  // The abstract's gains: 5.69 % over Standard, 2.68 % over TRADES, 2.91 % over MART.
  EXPECT_NEAR(100 * (pgd("namid") / pgd("standard") - 1), 5.69, 0.005);
  EXPECT_NEAR(100 * (pgd("namid-t") / pgd("trades") - 1), 2.68, 0.005);
  EXPECT_NEAR(100 * (pgd("namid-m") / pgd("mart") - 1), 2.91, 0.005);
}

TEST(Published, FindsNothingThatThePaperDoesNotHave) {
  EXPECT_EQ(find_published("3", "cifar10", "linf", "mma"), nullptr);
  EXPECT_EQ(find_published("1", "cifar10", "linf", "namid"), nullptr);
  EXPECT_FALSE(find_published("fig5", "cifar10", "linf", "standard")->values.front().has_value());
}

}  // namespace
}  // namespace namid::report
