// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <nlohmann/json.hpp>

#include "namid/core/format.h"
#include "namid/report/published.h"
#include "namid/report/reproduction.h"
#include "namid/report/table_cells.h"

namespace namid::report {
namespace {

using nlohmann::json;
using Texts = std::vector<std::string>;

std::string accuracy_text(const json& object) {
  const bool known = object.contains("sd") && object["sd"].is_number();
  return mean_text(object.at("mean").get<double>(),
                   known ? std::optional(object["sd"].get<double>()) : std::nullopt);
}

/// Whether the paper's table of that row has no such column, but another row's has.
bool is_of_another_table(const json& row, const std::string& column, const std::string& judge) {
  const auto own = published_columns(row.value("table", ""));
  return !own.empty() && column != judge && column != "gap" &&
         std::find(own.begin(), own.end(), column) == own.end();
}

std::string cell(const json& measured, const json& row, const std::string& column,
                 const std::string& judge) {
  const auto found = measured.find(column);
  if (found != measured.end()) return accuracy_text(*found);
  return is_of_another_table(row, column, judge) ? "" : "not available";
}

/// The columns of all rows: those of the paper in its order, then what was measured besides.
Texts columns_of(const json& rows, const std::string& judge) {
  Texts columns;
  const auto add = [&](const std::string& name) {
    if (std::find(columns.begin(), columns.end(), name) == columns.end()) columns.push_back(name);
  };
  for (const auto& row : rows)
    for (const auto& name : published_columns(row.value("table", ""))) add(name);
  for (const auto& name : {std::string("none"), std::string("pgd-40"), judge}) add(name);
  add("gap");
  return columns;
}

std::string title(const json& row) {
  return row.value("paper", row.value("name", ""));
}

/// "namid-t, linf": short, where the paper's own name stands in the table above.
std::string short_name(const json& row) {
  const auto variant = row.value("variant", "");
  return str(row.value("defense", ""), variant.empty() ? "" : "-", variant, ", ",
             row.value("norm", ""), ", ", row.value("data", ""));
}

std::string baseline_name(const json& rows, const json& row) {
  for (const auto& other : rows)
    if (other.value("name", "") == row.value("baseline", "-")) return short_name(other);
  return "";
}

std::string interval_text(const json& interval) {
  const auto end = [](const json& value, const char* missing) {
    return value.is_number() ? fixed(value.get<double>(), 2) : std::string(missing);
  };
  return str("[", end(interval.at(0), "-inf"), ", ", end(interval.at(1), "inf"), "]");
}

std::string verdict_text(const json& effect) {
  if (!effect.contains("resolved")) return "one pair: no test";
  if (!effect.at("resolved").get<bool>()) return "not resolvable at this scale";
  return effect.at("mean").get<double>() > 0 ? "above the baseline" : "below the baseline";
}

std::string failure_text(const json& rows) {
  std::string text;
  for (const auto& row : rows)
    for (const auto& failure : row.at("failures"))
      text += str("failed: ", title(row), ", ", failure.get<std::string>(), "\n");
  return text.empty() ? text : "\n" + text;
}

}  // namespace

TableLines accuracy_lines(const json& rows, const std::string& judge) {
  const Texts columns = columns_of(rows, judge);
  Texts header = {"row", "", "seeds"};
  for (const auto& column : columns)
    header.push_back(column == "none" ? "natural" : column == "gap" ? "pgd-40 - judge" : column);
  TableLines lines = {header};
  for (const auto& row : rows) {
    if (!row.at("published").empty()) {
      Texts line = {title(row), "published", ""};
      for (const auto& column : columns) {
        const bool known = row["published"].contains(column);
        line.push_back(known ? accuracy_text(row["published"][column]) : "");
      }
      lines.push_back(line);
    }
    for (const auto& [checkpoint, measured] : row.at("measured").items()) {
      Texts line = {title(row), "measured, " + checkpoint, str(row.at("seeds").size())};
      for (const auto& column : columns) line.push_back(cell(measured, row, column, judge));
      lines.push_back(line);
    }
    if (!row.at("measured").empty()) continue;
    Texts line = {title(row), "not run", "0"};
    line.resize(header.size());
    lines.push_back(line);
  }
  return lines;
}

TableLines effect_lines(const json& rows) {
  TableLines lines = {{"row", "against", "checkpoint", "column", "pairs", "difference",
                       "95 % sign flips", "95 % bootstrap", "p", "detectable", "verdict"}};
  for (const auto& row : rows) {
    if (!row.contains("against")) continue;
    for (const auto& [checkpoint, columns] : row["against"].items()) {
      for (const auto& [column, effect] : columns.items()) {
        const bool tested = effect.contains("resolved");
        lines.push_back({short_name(row), baseline_name(rows, row), checkpoint,
                         column == "none" ? "natural" : column, str(effect.at("pairs").get<int>()),
                         fixed(effect.at("mean").get<double>(), 2),
                         tested ? interval_text(effect.at("interval")) : "-",
                         tested ? interval_text(effect.at("bootstrap")) : "-",
                         tested ? fixed(effect.at("p").get<double>(), 4) : "-",
                         tested ? fixed(effect.at("detectable").get<double>(), 2) : "-",
                         verdict_text(effect)});
      }
    }
  }
  return lines;
}

std::string reproduction_table(const json& rows, const std::string& judge, TableFormat format) {
  std::string text = text_table(accuracy_lines(rows, judge), format);
  text += "\nAccuracies in percent, mean ± standard deviation over seeds.\n";
  const auto effects = effect_lines(rows);
  if (effects.size() > 1)
    text += "\n" + text_table(effects, format) +
            "\nDifferences in percentage points over paired seeds. Sign flips: other seeds, these "
            "images; bootstrap: other seeds and images.\nDetectable: the difference found with "
            "power 0.8 at level 0.05. Columns and rows are not corrected for their number.\n";
  return text + failure_text(rows);
}

}  // namespace namid::report
