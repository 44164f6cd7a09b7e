// SPDX-License-Identifier: Apache-2.0
//
// Every statistic against scipy and statsmodels: reference_statistics.py wrote the table.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>

#include "namid/core/confidence_sequence.h"
#include "namid/core/distributions.h"
#include "namid/core/paired_tests.h"
#include "namid/core/power.h"

namespace namid {
namespace {

using Row = std::vector<double>;

std::int64_t whole(double value) {
  return static_cast<std::int64_t>(value);
}

std::map<std::string, std::vector<Row>> read_table() {
  std::ifstream file(NAMID_SOURCE_DIR "/tests/core/reference_statistics.csv");
  std::map<std::string, std::vector<Row>> table;
  for (std::string line, cell; std::getline(file, line);) {
    std::istringstream cells(line);
    std::getline(cells, cell, ',');
    auto& row = table[cell].emplace_back();
    while (std::getline(cells, cell, ',')) row.push_back(std::stod(cell));
  }
  return table;
}

Row sign_flip_row(const Row& row) {
  const auto pairs = row.begin() + 1 + whole(row[0]);
  const auto found = sign_flip({row.begin() + 1, pairs}, {.confidence = 1 - *pairs});
  return {found.p_value, found.interval.low, found.interval.high};
}

Row confidence_sequence_row(const Row& r) {
  ConfidenceSequence sequence(whole(r[0]), {.alpha = r[5], .prior_a = r[1], .prior_b = r[2]});
  sequence.add(whole(r[4]), whole(r[3]));
  return {static_cast<double>(sequence.counts().low), static_cast<double>(sequence.counts().high),
          sequence.log_ratio(whole(r[6]))};
}

/// What namid finds for a row, in the order of the values expected at its end.
const std::map<std::string, std::function<Row(const Row&)>> kFound = {
    {"clopper_pearson",
     [](const Row& r) -> Row {
       const auto [low, high] = clopper_pearson(whole(r[0]), whole(r[1]), r[2]);
       return {low, high};
     }},
    {"mcnemar",
     [](const Row& r) -> Row {
       const auto found = mcnemar({whole(r[0]), whole(r[1]), whole(r[2])}, r[3]);
       return {found.p_value, found.conditional.low, found.conditional.high};
     }},
    {"sign_flip", sign_flip_row},
    {"sign_flip_p", [](const Row& r) -> Row { return {sign_flip_row(r)[0]}; }},
    {"confidence_sequence", confidence_sequence_row},
    {"paired_power",
     [](const Row& r) -> Row { return {paired_power(r[0], 1, whole(r[1]), r[2])}; }},
    {"detectable_effect",
     [](const Row& r) -> Row {
       return {detectable_effect(r[0], whole(r[1]), {.alpha = r[2], .power = r[3]})};
     }},
    {"mcnemar_power",
     [](const Row& r) -> Row { return {mcnemar_power(r[0], r[1], whole(r[2]), r[3])}; }},
    {"detectable_difference",
     [](const Row& r) -> Row {
       return {detectable_difference(r[0], whole(r[1]), {.alpha = r[2], .power = r[3]}).value()};
     }},
    {"student_critical", [](const Row& r) -> Row { return {student_critical(r[0], r[1])}; }},
    {"noncentral_student",
     [](const Row& r) -> Row { return {noncentral_student_cdf(r[0], r[1], r[2])}; }},
};

double deviation(double found, double expected) {
  return found == expected ? 0 : std::abs(found - expected) / std::max(1.0, std::abs(expected));
}

TEST(Statistics, AgreeWithScipyAndStatsmodelsOnAThousandCases) {
  const auto table = read_table();
  std::size_t cases = 0;
  for (const auto& [name, rows] : table) {
    ASSERT_TRUE(kFound.contains(name)) << name;
    double largest = 0;
    for (const auto& row : rows) {
      const auto found = kFound.at(name)(row);
      const auto* expected = row.data() + row.size() - found.size();
      for (std::size_t i = 0; i < found.size(); ++i) {
        const double off = deviation(found[i], expected[i]);
        largest = std::max(largest, std::isnan(off) ? INFINITY : off);
      }
    }
    std::cout << name << ": " << rows.size() << " cases, largest deviation " << largest << "\n";
    RecordProperty(name, str(largest));
    EXPECT_LT(largest, 1e-9) << name;
    cases += rows.size();
  }
  EXPECT_EQ(table.size(), kFound.size());
  EXPECT_GE(cases, 1000u);
}

}  // namespace
}  // namespace namid
