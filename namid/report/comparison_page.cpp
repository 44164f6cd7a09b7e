// SPDX-License-Identifier: Apache-2.0
#include "namid/report/compare.h"
#include "namid/report/parts.h"
#include "namid/report/style.h"

namespace namid::report {

std::string comparison_page(const Comparison& comparison) {
  constexpr const char* kTitle = "Runs side by side";
  constexpr std::size_t kFirstNumber = 2;
  Html page;
  page.open("header").element("h1", kTitle).close().open("main");
  add_heading(page, "Runs");
  add_lines(page, "Accuracies in percent", row_lines(comparison.rows), kFirstNumber);
  add_paragraph(page, row_note(comparison.rows));
  if (!comparison.tables.empty()) add_heading(page, "Defences by attacks");
  for (const CaptionedLines& table : comparison.tables)
    add_lines(page, table.caption, table.lines, table.first_number);
  if (!comparison.pairs.empty()) {
    add_heading(page, "Paired tests");
    add_lines(page, "Differences in percentage points", pair_lines(comparison.pairs), 3);
    add_paragraph(page, pair_note());
  }
  page.close().open("footer").element(
      "p",
      "Written by namid from the run folders alone. This page has no scripts and loads "
      "nothing.");
  page.close();
  return html_page("Runs side by side – namid", style_sheet(), page);
}

}  // namespace namid::report
