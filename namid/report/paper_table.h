// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "namid/report/run_data.h"
#include "namid/report/text_table.h"

namespace namid::report {

struct CaptionedLines {
  std::string caption;
  TableLines lines;
  std::size_t first_number = 1;  ///< columns from here on hold numbers
};

/// The runs in the form of the paper's tables, in percent: a row per defence (or per evaluation
/// where that is not known), a column per attack, "None" for natural accuracy, "PGD-40", "AA" for
/// the suite autoattack; mean ± standard deviation over the models of a defence, which are told
/// apart by their weights' hash. Of suites that attack only what is left, the whole suite is one
/// column. Columns name norm and epsilon where the runs differ in them. A run of `namid reproduce`
/// gives its own table, published beside measured. Runs that hold neither are left out.
std::vector<CaptionedLines> paper_tables(const std::vector<RunData>& runs);

/// A table environment with caption, by \hline alone: no package is needed. Every cell is escaped.
std::string latex_table(const CaptionedLines& table);

}  // namespace namid::report
