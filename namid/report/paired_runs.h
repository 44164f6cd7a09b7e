// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "namid/core/paired_tests.h"
#include "namid/report/run_data.h"
#include "namid/report/text_table.h"

namespace namid::report {

/// One accuracy of two evaluations on the samples of both; differences are first minus second.
struct PairedTest {
  std::string first, second;  ///< names of the runs
  std::string accuracy;       ///< "natural", "robust"
  PairedCounts counts;
  double difference = 0;
  namid::Interval interval;  ///< 95 %
  double p = 1, adjusted = 1;
  std::string method;  ///< "mcnemar", "paired-confidence-sequence"
};

/// Every two evaluations among the runs and their children: McNemar's exact test and its
/// unconditional interval; where a stopping rule chose the samples, which makes McNemar's test
/// invalid, the confidence sequence of core/paired_sequence.h. `adjusted`: Holm over all tests that
/// are returned. Robust accuracies are tested only where both were attacked alike. DataError for
/// fewer than two evaluations, one without a ledger, and as eval::common_verdicts.
std::vector<PairedTest> paired_tests(const std::vector<RunData>& runs);

/// Lines of a table, percentage points; p-values with 4 digits.
TableLines pair_lines(const std::vector<PairedTest>& tests);
/// {"first", "second", "accuracy", "images", "only_first", "only_second", "difference", "lower",
///  "upper", "p", "p_holm", "method"}: fractions.
nlohmann::ordered_json pair_object(const PairedTest& test);
/// What the numbers mean, one line.
std::string pair_note();

/// DataError that names two of the runs whose evaluations are of different images: other data, or
/// another part of them.
void check_same_images(const std::vector<RunData>& runs);

}  // namespace namid::report
