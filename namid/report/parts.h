// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "namid/report/html.h"
#include "namid/report/run_data.h"

namespace namid::report {

// Pieces that several sections of a page are made of.

/// A heading of level 2.
void add_heading(Html& page, const std::string& title);
void add_paragraph(Html& page, const std::string& text, const std::string& css_class = "");

/// A table's cell: words, or a number with the range beside it.
struct Cell {
  std::string text;
  std::string range = {};  ///< in a softer colour
  bool is_number = false;
  std::optional<Html> picture = std::nullopt;  ///< instead of the text
};
using Cells = std::vector<Cell>;
Cell words(std::string text);
/// An empty text is a dash.
Cell number(std::string text);
/// None is an empty cell.
Cell number(const std::optional<double>& value, int digits);

/// First cells are row headings. Scrolls sideways where the page is narrow.
void add_table(Html& page, const std::string& caption, const Cells& header,
               const std::vector<Cells>& rows);

/// Lines of cells as such a table, the first line its header; columns from `first_number` on hold
/// numbers.
void add_lines(Html& page, const std::string& caption,
               const std::vector<std::vector<std::string>>& lines, std::size_t first_number);

/// Names over values, side by side; pairs without a value are left out.
void add_facts(Html& page, const std::vector<std::pair<std::string, std::string>>& facts);

/// A table of names and values; pairs without a value are left out, and so is an empty table.
void add_fact_table(Html& page, const std::string& caption,
                    const std::vector<std::pair<std::string, std::string>>& facts);

void add_figure(Html& page, const std::string& title, const std::string& note, const Html& picture,
                const std::string& css_class = "");

/// "62.3 %" with "[59.2, 65.3]" as the range; a dash if there is nothing.
Cell accuracy_cell(const std::optional<Accuracy>& accuracy);

/// A count without decimals; empty if there is none.
std::string count_text(const std::optional<double>& count);

/// "48 s", "12 min 3 s", "2 h 5 min"; empty if there is none.
std::string duration_text(const std::optional<double>& seconds);

}  // namespace namid::report
