// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "namid/report/paired_runs.h"
#include "namid/report/paper_table.h"
#include "namid/report/report.h"
#include "namid/report/results.h"

namespace namid::report {

/// A comparison that is already read; see report.h.
struct Comparison {
  std::vector<ResultRow> rows;
  std::vector<CaptionedLines> tables;  ///< for latex and html
  std::vector<PairedTest> pairs;
};
std::string format_comparison(const Comparison& comparison, TableFormat format);
/// The same of rows alone.
std::string format_rows(const std::vector<ResultRow>& rows, TableFormat format);

/// The rows as lines of a table, as text and html show them, and what their numbers mean.
TableLines row_lines(const std::vector<ResultRow>& rows);
std::string row_note(const std::vector<ResultRow>& rows);
/// The page of format html.
std::string comparison_page(const Comparison& comparison);

}  // namespace namid::report
