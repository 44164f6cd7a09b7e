// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/report/matrix_table.h"
#include "namid/report/parts.h"
#include "namid/report/sections.h"
#include "namid/report/svg.h"

namespace namid::report {
namespace {

using nlohmann::json;
using Names = std::vector<std::string>;

/// The names of one side of the matrix, in their order.
Names names_at(const json& cells, const char* side) {
  Names names;
  for (const auto& cell : cells) {
    const auto name = cell.at(side).get<std::string>();
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

const json* cell_at(const json& cells, const std::string& surrogate, const std::string& target) {
  for (const auto& cell : cells)
    if (cell.at("surrogate") == surrogate && cell.at("target") == target) return &cell;
  return nullptr;
}

/// "62.3 %", its interval and, behind them, a tint that grows with the accuracy.
void add_heat_cell(Html& page, const json& cell, const std::string& attack) {
  const auto& robust = cell.at("robust");
  const json* accuracy = attack.empty()            ? &cell.at("natural")
                         : robust.contains(attack) ? &robust.at(attack)
                                                   : nullptr;
  if (accuracy == nullptr) {
    page.element("td", "failed", {{"class", "num"}});
    return;
  }
  constexpr double kDarkest = 0.45;  // text stays readable on it, in light and in dark
  const double value = accuracy->at("accuracy").get<double>();
  page.open("td", {{"class", "num"},
                   {"style", str("padding-left:.6rem;background:rgba(11,92,173,",
                                 fixed(kDarkest * value, 3), ")")}})
      .text(percent(value) + (cell.at("white_box").get<bool>() && !attack.empty() ? " *" : ""))
      .text(" ")
      .element("span",
               str("[", fixed(100 * accuracy->at("lower").get<double>(), 1), ", ",
                   fixed(100 * accuracy->at("upper").get<double>(), 1), "]"),
               {{"class", "range"}})
      .close();
}

void open_heat_table(Html& page, const std::string& caption, const Names& header) {
  page.open("div",
            {{"class", "scroll"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", caption}});
  page.open("table").element("caption", caption).open("thead").open("tr");
  for (const auto& name : header)
    page.element("th", name, {{"scope", "col"}, {"class", &name == &header[0] ? "words" : "num"}});
  page.close().close().open("tbody");
}

void open_row(Html& page, const std::string& name) {
  page.open("tr").element("th", name, {{"scope", "row"}, {"class", "words"}});
}

void close_heat_table(Html& page) {
  page.close().close().close();
}

/// As the paper's tables: targets by attacks.
void add_surrogate_table(Html& page, const json& matrix, const std::string& surrogate) {
  Names header = {"target", "None"}, attacks = {""};
  for (const auto& attack : matrix.at("attacks")) {
    attacks.push_back(attack.get<std::string>());
    header.push_back(matrix_heading(attacks.back()));
  }
  open_heat_table(page, str("Accuracy under images made on ", surrogate), header);
  for (const auto& cell : matrix.at("cells")) {
    if (cell.at("surrogate") != surrogate) continue;
    open_row(page, cell.at("target").get<std::string>());
    for (const auto& attack : attacks) add_heat_cell(page, cell, attack);
    page.close();
  }
  close_heat_table(page);
}

/// Targets by surrogates, of one attack.
void add_attack_table(Html& page, const json& cells, const std::string& attack) {
  const auto surrogates = names_at(cells, "surrogate");
  Names header = surrogates;
  header.insert(header.begin(), "target");
  open_heat_table(page, str(matrix_heading(attack), ": targets by surrogates"), header);
  for (const auto& target : names_at(cells, "target")) {
    open_row(page, target);
    for (const auto& surrogate : surrogates) {
      const auto* cell = cell_at(cells, surrogate, target);
      if (cell != nullptr) add_heat_cell(page, *cell, attack);
    }
    page.close();
  }
  close_heat_table(page);
}

}  // namespace

void add_matrix(Html& page, const RunData& run) {
  const json* matrix = find_member(run.record, "result/matrix");
  if (text_at(run.record, "command") != "transfer" || matrix == nullptr) return;
  add_heading(page, "Transfer: made on a surrogate, judged by a target");
  add_paragraph(page,
                "Accuracy over all images, those that the target gets wrong by itself counted as "
                "broken; in brackets the interval of sampling. The darker, the more accurate. "
                "* white-box: the surrogate is the target.");
  try {
    const auto& cells = matrix->at("cells");
    const auto surrogates = names_at(cells, "surrogate");
    for (const auto& surrogate : surrogates) add_surrogate_table(page, *matrix, surrogate);
    if (surrogates.size() < 2) return;
    for (const auto& attack : matrix->at("attacks"))
      add_attack_table(page, cells, attack.get<std::string>());
  } catch (const json::exception& error) {
    throw DataError(str((run.path / "run.json").string(),
                        ": result: expected the matrix of a transfer: ", error.what()));
  }
}

}  // namespace namid::report
