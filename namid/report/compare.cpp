// SPDX-License-Identifier: Apache-2.0
#include "namid/report/compare.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/report/parts.h"
#include "namid/report/shapes.h"
#include "namid/report/table_cells.h"

namespace namid::report {
namespace {

using nlohmann::ordered_json;
using Texts = std::vector<std::string>;

std::string accuracy_text(const std::optional<Accuracy>& accuracy) {
  if (!accuracy) return "-";
  const std::string value = fixed(100 * accuracy->value, 1);
  if (!accuracy->bounds) return value;
  return str(value, " [", fixed(100 * accuracy->bounds->first, 1), ", ",
             fixed(100 * accuracy->bounds->second, 1), "]");
}

std::string images_text(const ResultRow& row) {
  const std::string count = row.n ? count_text(row.n) : "-";
  if (row.source == Source::validation) return count + " (validation)";
  return row.source == Source::chosen_test ? count + " (test, chose the weights)" : count;
}

/// A column of the table, as a person reads it.
struct Column {
  const char* name;
  std::string (*cell)(const ResultRow&);
  bool to_right = false;
  bool foreign = false;  ///< holds words of the run, not of this file
};

constexpr std::array kColumns{
    Column{"run", [](const ResultRow& row) { return printable(row.run); }, false, true},
    Column{"defence", [](const ResultRow& row) { return printable(row.defense); }, false, true},
    Column{"natural %", [](const ResultRow& row) { return accuracy_text(row.natural); }, true},
    Column{"robust %", [](const ResultRow& row) { return accuracy_text(row.robust); }, true},
    Column{"certified %", [](const ResultRow& row) { return accuracy_text(row.certified); }, true},
    Column{"images", images_text, true},
    Column{"attack", [](const ResultRow& row) { return printable(row.attack.name); }, false, true},
    Column{"norm", [](const ResultRow& row) { return printable(row.attack.norm); }, false, true},
    Column{"epsilon",
           [](const ResultRow& row) {
             return row.attack.epsilon ? epsilon_text(*row.attack.epsilon) : std::string("-");
           }},
    Column{"seconds",
           [](const ResultRow& row) {
             return row.seconds ? fixed(*row.seconds, 1) : std::string("-");
           },
           true},
    Column{"status", [](const ResultRow& row) { return printable(row.status); }, false, true}};

bool any_certified(const std::vector<ResultRow>& rows) {
  return std::any_of(rows.begin(), rows.end(), [](const ResultRow& row) { return row.certified; });
}

/// Certified accuracies have a column where there are any.
std::vector<Column> columns_of(const std::vector<ResultRow>& rows) {
  const bool certified = any_certified(rows);
  std::vector<Column> columns;
  for (const Column& column : kColumns)
    if (certified || std::string_view(column.name) != "certified %") columns.push_back(column);
  return columns;
}

std::string padded(const std::string& text, std::size_t width, bool to_right) {
  const std::string blanks(width - std::min(width, count_letters(text)), ' ');
  return to_right ? blanks + text : text + blanks;
}

std::string text_table(const std::vector<ResultRow>& rows) {
  const TableLines lines = row_lines(rows);
  const auto columns = columns_of(rows);
  std::vector<std::size_t> widths(columns.size());
  for (const Texts& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i)
      widths[i] = std::max(widths[i], count_letters(line[i]));
  std::string out;
  for (const Texts& line : lines) {
    std::string text;
    for (std::size_t i = 0; i < line.size(); ++i)
      text += str(i ? "  " : "", padded(line[i], widths[i], columns[i].to_right));
    out += text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
  }
  return out + "\n" + row_note(rows);
}

std::string markdown_table(const std::vector<ResultRow>& rows) {
  const auto columns = columns_of(rows);
  TableLines lines = row_lines(rows);
  std::string out = markdown_line(lines.front()) + "|";
  for (const Column& column : columns) out += column.to_right ? "--:|" : "---|";
  out += "\n";
  for (auto line = lines.begin() + 1; line != lines.end(); ++line) {
    for (std::size_t i = 0; i < columns.size(); ++i)
      if (columns[i].foreign) (*line)[i] = markdown_cell((*line)[i]);
    out += markdown_line(*line);
  }
  return out + "\n" + row_note(rows);
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

const char* source_name(Source source) {
  switch (source) {
    case Source::none:
      break;
    case Source::validation:
      return "validation";
    case Source::test:
      return "test";
    case Source::chosen_test:
      return "test_chose_weights";
  }
  return "";
}

void put(ordered_json& object, const std::string& key, const std::optional<double>& value) {
  object[key] = value ? ordered_json(*value) : ordered_json();
}

void put_accuracy(ordered_json& object, const std::string& key,
                  const std::optional<Accuracy>& accuracy) {
  const bool bounded = accuracy && accuracy->bounds;
  put(object, key, accuracy ? std::optional(accuracy->value) : std::nullopt);
  put(object, key + "_lower", bounded ? std::optional(accuracy->bounds->first) : std::nullopt);
  put(object, key + "_upper", bounded ? std::optional(accuracy->bounds->second) : std::nullopt);
}

ordered_json object_of(const ResultRow& row) {
  ordered_json object = {{"run", row.run}, {"defense", row.defense}};
  object["source"] = source_name(row.source);
  put_accuracy(object, "natural", row.natural);
  put_accuracy(object, "robust", row.robust);
  put_accuracy(object, "certified", row.certified);
  const auto& bounded = row.robust ? row.robust : row.natural;
  const bool known = bounded && bounded->bounds && bounded->confidence > 0;
  put(object, "confidence", known ? std::optional(bounded->confidence) : std::nullopt);
  put(object, "n", row.n);
  if (row.n) object["n"] = static_cast<std::int64_t>(*row.n);
  object["attack"] = row.attack.name;
  object["norm"] = row.attack.norm;
  put(object, "epsilon", row.attack.epsilon);
  put(object, "seconds", row.seconds);
  object["status"] = row.status;
  return object;
}

std::string csv_value(const ordered_json& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return csv_cell(value.get<std::string>());
  return value.is_number_float() ? shortest(value.get<double>()) : value.dump();
}

std::string csv_table(const std::vector<ResultRow>& rows) {
  std::string out;
  const ordered_json names = object_of({});
  for (const auto& [key, value] : names.items()) out += str(out.empty() ? "" : ",", key);
  out += "\n";
  for (const ResultRow& row : rows) {
    std::string line;
    const ordered_json object = object_of(row);
    bool first = true;
    for (const auto& [key, value] : object.items()) {
      line += str(first ? "" : ",", csv_value(value));
      first = false;
    }
    out += line + "\n";
  }
  return out;
}

std::string dumped(const ordered_json& document) {
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string json_table(const Comparison& comparison) {
  ordered_json list = ordered_json::array(), pairs = ordered_json::array();
  for (const ResultRow& row : comparison.rows) list.push_back(object_of(row));
  if (comparison.pairs.empty()) return dumped(list);
  for (const PairedTest& test : comparison.pairs) pairs.push_back(pair_object(test));
  return dumped({{"runs", list}, {"paired", pairs}});
}

/// Pairs as a second table of text or Markdown.
std::string pair_table(const std::vector<PairedTest>& pairs, TableFormat format) {
  TableLines lines = pair_lines(pairs);
  for (auto& line : lines)
    for (auto& cell : line)
      cell = format == TableFormat::markdown ? markdown_cell(printable(cell)) : printable(cell);
  return "\n" + text_table(lines, format) + "\n" + pair_note();
}

std::string csv_pairs(const std::vector<PairedTest>& pairs) {
  std::string out = "\n";
  const ordered_json names = pair_object({});
  for (const auto& [key, value] : names.items()) out += str(out == "\n" ? "" : ",", key);
  out += "\n";
  for (const PairedTest& test : pairs) {
    std::string line;
    const ordered_json object = pair_object(test);
    for (const auto& [key, value] : object.items())
      line += str(line.empty() && key == "first" ? "" : ",", csv_value(value));
    out += line + "\n";
  }
  return out;
}

std::string latex_tables(const Comparison& comparison) {
  if (comparison.tables.empty())
    throw DataError("compare: none of the runs holds an evaluation, which --format latex needs");
  std::string out;
  for (const CaptionedLines& table : comparison.tables)
    out += str(out.empty() ? "" : "\n", latex_table(table));
  if (comparison.pairs.empty()) return out;
  return out + "\n" +
         latex_table({.caption = pair_note().substr(0, pair_note().size() - 1),
                      .lines = pair_lines(comparison.pairs),
                      .first_number = 3});
}

}  // namespace

TableLines row_lines(const std::vector<ResultRow>& rows) {
  TableLines lines(1);
  for (const Column& column : columns_of(rows)) lines[0].emplace_back(column.name);
  for (const ResultRow& row : rows) {
    lines.emplace_back();
    for (const Column& column : columns_of(rows)) lines.back().push_back(column.cell(row));
  }
  return lines;
}

std::string row_note(const std::vector<ResultRow>& rows) {
  std::string text;
  for (const ResultRow& row : rows) {
    const auto& accuracy = row.robust ? row.robust : row.natural;
    if (!accuracy || !accuracy->bounds || accuracy->confidence <= 0) continue;
    text = str(
        "[]: ", shortest(100 * accuracy->confidence),
        " % interval (Clopper-Pearson, or the confidence sequence of a run that stopped early), "
        "sampling error under this attack only. ");
    break;
  }
  text += "Robust accuracy is an upper bound: a stronger attack can only lower it.";
  const bool certified = any_certified(rows);
  return text +
         (certified ? " Certified accuracy is a lower bound: no attack can lower it.\n" : "\n");
}

std::string format_comparison(const Comparison& comparison, TableFormat format) {
  const auto& [rows, tables, pairs] = comparison;
  switch (format) {
    case TableFormat::markdown:
      return markdown_table(rows) + (pairs.empty() ? "" : pair_table(pairs, format));
    case TableFormat::csv:
      return csv_table(rows) + (pairs.empty() ? "" : csv_pairs(pairs));
    case TableFormat::json:
      return json_table(comparison);
    case TableFormat::latex:
      return latex_tables(comparison);
    case TableFormat::html:
      return comparison_page(comparison);
    case TableFormat::text:
      break;
  }
  return text_table(rows) + (pairs.empty() ? "" : pair_table(pairs, format));
}

std::string format_rows(const std::vector<ResultRow>& rows, TableFormat format) {
  return format_comparison({.rows = rows, .tables = {}, .pairs = {}}, format);
}

std::string compare(const std::vector<std::filesystem::path>& paths, TableFormat format,
                    bool paired) {
  std::vector<RunData> runs;
  for (const std::filesystem::path& path : paths) runs.push_back(load_run(path));
  check_same_images(runs);
  Comparison comparison;
  for (const RunData& run : runs)
    for (ResultRow& row : result_rows(run)) comparison.rows.push_back(std::move(row));
  if (format == TableFormat::latex || format == TableFormat::html)
    comparison.tables = paper_tables(runs);
  if (paired) comparison.pairs = paired_tests(runs);
  return format_comparison(comparison, format);
}

}  // namespace namid::report
