// SPDX-License-Identifier: Apache-2.0
#include "namid/report/parts.h"

#include <algorithm>
#include <cmath>

#include "namid/core/format.h"
#include "namid/report/svg.h"

namespace namid::report {
namespace {

constexpr const char* kNothing = "–";

void add_cell(Html& page, const Cell& cell, bool heads_row) {
  const std::string css_class = cell.is_number ? "num" : "words";
  if (heads_row) {
    page.open("th", {{"scope", "row"}, {"class", css_class}});
  } else {
    page.open("td", {{"class", css_class}});
  }
  if (cell.picture) {
    page.append(*cell.picture);
  } else {
    page.text(cell.text);
  }
  if (!cell.range.empty()) page.text(" ").element("span", cell.range, {{"class", "range"}});
  page.close();
}

}  // namespace

void add_heading(Html& page, const std::string& title) {
  page.element("h2", title);
}

void add_paragraph(Html& page, const std::string& text, const std::string& css_class) {
  if (css_class.empty()) {
    page.element("p", text);
  } else {
    page.element("p", text, {{"class", css_class}});
  }
}

Cell words(std::string text) {
  return {.text = std::move(text)};
}

Cell number(std::string text) {
  return {.text = text.empty() ? "–" : std::move(text), .is_number = true};
}

Cell number(const std::optional<double>& value, int digits) {
  return {.text = value ? fixed(*value, digits) : "", .is_number = true};
}

void add_table(Html& page, const std::string& caption, const Cells& header,
               const std::vector<Cells>& rows) {
  page.open("div",
            {{"class", "scroll"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", caption}});
  page.open("table").element("caption", caption).open("thead").open("tr");
  for (const Cell& cell : header) {
    page.element("th", cell.text, {{"scope", "col"}, {"class", cell.is_number ? "num" : "words"}});
  }
  page.close().close().open("tbody");
  for (const Cells& row : rows) {
    page.open("tr");
    for (std::size_t i = 0; i < row.size(); ++i) add_cell(page, row[i], i == 0);
    page.close();
  }
  page.close().close().close();
}

void add_lines(Html& page, const std::string& caption,
               const std::vector<std::vector<std::string>>& lines, std::size_t first_number) {
  std::vector<Cells> rows;
  for (const auto& line : lines) {
    Cells cells;
    for (std::size_t c = 0; c < line.size(); ++c)
      cells.push_back({.text = line[c], .is_number = c >= first_number});
    rows.push_back(std::move(cells));
  }
  const Cells header = rows.front();
  rows.erase(rows.begin());
  add_table(page, caption, header, rows);
}

void add_facts(Html& page, const std::vector<std::pair<std::string, std::string>>& facts) {
  page.open("dl");
  for (const auto& [name, value] : facts) {
    if (!value.empty()) page.open("div").element("dt", name).element("dd", value).close();
  }
  page.close();
}

void add_fact_table(Html& page, const std::string& caption,
                    const std::vector<std::pair<std::string, std::string>>& facts) {
  std::vector<Cells> rows;
  for (const auto& [name, value] : facts) {
    if (!value.empty()) rows.push_back({{.text = name}, {.text = value}});
  }
  if (!rows.empty()) add_table(page, caption, {{.text = "name"}, {.text = "value"}}, rows);
}

void add_figure(Html& page, const std::string& title, const std::string& note, const Html& picture,
                const std::string& css_class) {
  page.open("figure", {{"class", css_class}}).open("figcaption").text(title);
  if (!note.empty()) page.element("span", note, {{"class", "note"}});
  page.close().append(picture).close();
}

Cell accuracy_cell(const std::optional<Accuracy>& accuracy) {
  if (!accuracy) return {.text = kNothing, .is_number = true};
  Cell cell{.text = percent(accuracy->value), .is_number = true};
  if (accuracy->bounds) {
    cell.range = str('[', fixed(100 * accuracy->bounds->first, 1), ", ",
                     fixed(100 * accuracy->bounds->second, 1), ']');
  }
  return cell;
}

std::string count_text(const std::optional<double>& count) {
  return count ? fixed(*count, 0) : std::string();
}

std::string duration_text(const std::optional<double>& seconds) {
  constexpr double kMinute = 60, kHour = 3600;
  if (!seconds || *seconds < 0) return {};
  if (*seconds < 9.95) return fixed(*seconds, 1) + " s";
  const double whole = std::round(*seconds);
  if (whole < kMinute) return fixed(whole, 0) + " s";
  if (whole < kHour) {
    return str(fixed(std::floor(whole / kMinute), 0), " min ", fixed(std::fmod(whole, kMinute), 0),
               " s");
  }
  return str(fixed(std::floor(whole / kHour), 0), " h ",
             fixed(std::floor(std::fmod(whole, kHour) / kMinute), 0), " min");
}

}  // namespace namid::report
