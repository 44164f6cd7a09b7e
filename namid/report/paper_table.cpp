// SPDX-License-Identifier: Apache-2.0
#include "namid/report/paper_table.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/report/reproduction.h"
#include "namid/report/results.h"
#include "namid/report/table_cells.h"

namespace namid::report {
namespace {

constexpr const char* kCaption =
    "Accuracies in percent, mean ± standard deviation over models of a defence";

/// Keys in the order in which they came.
struct Keys {
  std::vector<std::string> all;
  void add(const std::string& key) {
    if (std::find(all.begin(), all.end(), key) == all.end()) all.push_back(key);
  }
};

/// Row → column → hash of the model → accuracy in percent.
struct Measured {
  Keys rows, columns;
  std::map<std::string, std::map<std::string, std::map<std::string, double>>> values;

  void add(const std::string& row, const std::string& column, const std::string& model,
           const std::optional<Accuracy>& accuracy) {
    if (!accuracy) return;
    rows.add(row);
    columns.add(column);
    values[row][column][model] = 100 * accuracy->value;
  }
};

/// As the paper heads a column.
std::string heading_of(const std::string& attack) {
  if (attack == "autoattack") return "AA";
  return attack.starts_with("pgd-") ? "PGD-" + attack.substr(4) : attack;
}

std::string budget_of(const RunData& evaluation) {
  const auto facts = attack_of(evaluation);
  return facts.epsilon ? str(facts.norm, " ", epsilon_text(*facts.epsilon)) : facts.norm;
}

void add_attacks(Measured& out, const std::string& row, const std::string& model,
                 const RunData& evaluation, const std::string& budget) {
  const auto& record = evaluation.record;
  const auto named = [&](const std::string& name) {
    return budget.empty() ? heading_of(name) : str(heading_of(name), " (", budget, ")");
  };
  if (text_at(record, "result/combine") == "worst_case") {
    const auto suite = text_at(record, "result/suite");
    const bool is_list = suite.empty() || suite.find_first_of("(, ") != std::string::npos;
    out.add(row, named(is_list ? attack_of(evaluation).name : suite), model,
            accuracy_at(evaluation, "result/robust"));
    return;
  }
  for (int i = 0; find_member(record, str("result/attacks/", i)); ++i) {
    const auto path = str("result/attacks/", i);
    out.add(row, named(text_at(record, path + "/name")), model,
            accuracy_at(evaluation, path + "/robust"));
  }
}

std::string cell_of(const Measured& measured, const std::string& row, const std::string& column) {
  const auto& columns = measured.values.at(row);
  const auto found = columns.find(column);
  if (found == columns.end()) return "-";
  std::vector<double> values;
  for (const auto& [model, value] : found->second) values.push_back(value);
  return mean_text(mean_of(values),
                   values.size() > 1 ? std::optional(deviation_of(values)) : std::nullopt);
}

CaptionedLines lines_of(const Measured& measured, const std::string& budget) {
  CaptionedLines table{.caption = budget.empty() ? kCaption : str(kCaption, "; ", budget),
                       .lines = {{"defence", "models"}}};
  auto& header = table.lines.front();
  header.insert(header.end(), measured.columns.all.begin(), measured.columns.all.end());
  for (const auto& row : measured.rows.all) {
    std::size_t models = 0;
    for (const auto& [column, values] : measured.values.at(row))
      models = std::max(models, values.size());
    std::vector<std::string> line = {row, str(models)};
    for (const auto& column : measured.columns.all) line.push_back(cell_of(measured, row, column));
    table.lines.push_back(std::move(line));
  }
  return table;
}

std::optional<CaptionedLines> reproduction_of(const RunData& run) {
  const auto* rows = find_member(run.record, "result/rows");
  if (text_at(run.record, "command") != "reproduce" || !rows || rows->empty()) return {};
  try {
    return CaptionedLines{
        .caption =
            "Published and measured accuracies in percent, mean ± standard deviation over "
            "seeds",
        .lines = accuracy_lines(*rows, text_at(run.record, "result/judge")),
        .first_number = 2};
  } catch (const nlohmann::json::exception& error) {
    throw DataError(str((run.path / "run.json").string(),
                        ": result: expected the rows of a reproduction: ", error.what()));
  }
}

std::string latex_line(const std::vector<std::string>& cells) {
  std::string line;
  for (const auto& cell : cells) line += str(line.empty() ? "" : " & ", latex_cell(cell));
  return line + " \\\\\n";
}

}  // namespace

std::vector<CaptionedLines> paper_tables(const std::vector<RunData>& runs) {
  std::vector<CaptionedLines> tables;
  std::vector<std::pair<std::string, const RunData*>> evaluations;
  Keys budgets;
  for (const auto& run : runs) {
    if (auto table = reproduction_of(run)) tables.push_back(std::move(*table));
    for (const auto& [name, evaluation] : evaluations_of(run)) {
      evaluations.emplace_back(name, evaluation);
      budgets.add(budget_of(*evaluation));
    }
  }
  Measured measured;
  for (const auto& [name, evaluation] : evaluations) {
    const auto defense = text_at(evaluation->record, "defense");
    const auto hash = text_at(evaluation->record, "model/sha256");
    const auto row = defense.empty() ? name : defense;
    const auto model = hash.empty() ? evaluation->path.string() : hash;
    measured.add(row, "None", model, accuracy_at(*evaluation, "result/natural"));
    add_attacks(measured, row, model, *evaluation,
                budgets.all.size() > 1 ? budget_of(*evaluation) : "");
  }
  if (!measured.rows.all.empty())
    tables.push_back(lines_of(measured, budgets.all.size() == 1 ? budgets.all.front() : ""));
  return tables;
}

std::string latex_table(const CaptionedLines& table) {
  const auto width = table.lines.front().size();
  const auto words = std::min(table.first_number, width);
  std::string out = "\\begin{table}\n\\centering\n";
  out += str("\\caption{", latex_cell(table.caption), "}\n");
  out += str("\\begin{tabular}{", std::string(words, 'l'), std::string(width - words, 'r'), "}\n");
  out += "\\hline\n" + latex_line(table.lines.front()) + "\\hline\n";
  for (std::size_t i = 1; i < table.lines.size(); ++i) out += latex_line(table.lines[i]);
  return out + "\\hline\n\\end{tabular}\n\\end{table}\n";
}

}  // namespace namid::report
