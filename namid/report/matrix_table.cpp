// SPDX-License-Identifier: Apache-2.0
#include "namid/report/matrix_table.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "namid/core/format.h"
#include "namid/report/table_cells.h"

namespace namid::report {
namespace {

using nlohmann::json;

constexpr std::string_view kWhiteBox = " *";

/// "62.30 [59.21, 65.31]" in percent.
std::string accuracy_words(const json& accuracy) {
  const auto in_percent = [&](const char* key) {
    return fixed(100 * accuracy.at(key).get<double>(), 2);
  };
  return str(in_percent("accuracy"), " [", in_percent("lower"), ", ", in_percent("upper"), "]");
}

std::string cell_words(const json& cell, const std::string& attack) {
  const auto& robust = cell.at("robust");
  return robust.contains(attack) ? accuracy_words(robust.at(attack)) : "failed";
}

/// "linf 0.1; fwa-40: wasserstein 0.005": the first column's budget, and those that differ.
std::string budget_words(const json& matrix) {
  const auto& budgets = matrix.at("budgets");
  const auto words_of = [](const json& budget) {
    return str(budget.at("norm").get<std::string>(), " ",
               shortest(budget.at("epsilon").get<double>()));
  };
  std::string text = words_of(budgets.at(0));
  for (std::size_t i = 1; i < budgets.size(); ++i)
    if (budgets[i] != budgets[0])
      text += str("; ", matrix.at("attacks").at(i).get<std::string>(), ": ", words_of(budgets[i]));
  return text;
}

bool has_white_box(const json& matrix) {
  const auto& cells = matrix.at("cells");
  return std::any_of(cells.begin(), cells.end(),
                     [](const json& cell) { return cell.at("white_box").get<bool>(); });
}

std::string notes(const json& matrix) {
  const auto& first = matrix.at("cells").at(0);
  return str("Accuracies in percent over all ", first.at("n").get<int>(), " images, [",
             fixed(100 * first.at("natural").at("confidence").get<double>(), 0),
             " % intervals of sampling]; ", budget_words(matrix), ".\n",
             has_white_box(matrix) ? "* white-box: the surrogate is the target.\n" : "");
}

/// "62.30 [59.21, 65.31]" with its interval in small letters.
std::string small_bounds(const std::string& text) {
  const auto bracket = text.find(" [");
  if (bracket == std::string::npos) return latex_cell(text);
  return str(text.substr(0, bracket), " {\\scriptsize", text.substr(bracket + 1), "}");
}

/// A name; the mark of a white-box cell raised.
std::string latex_name(const std::string& text) {
  if (!text.ends_with(kWhiteBox)) return latex_cell(text);
  return latex_cell(text.substr(0, text.size() - kWhiteBox.size())) + "$^*$";
}

}  // namespace

TableLines matrix_lines(const json& matrix) {
  TableLines lines = {{"surrogate", "target", "None"}};
  for (const auto& attack : matrix.at("attacks"))
    lines.front().push_back(paper_heading(attack.get<std::string>()));
  for (const auto& cell : matrix.at("cells")) {
    const auto mark = cell.at("white_box").get<bool>() ? kWhiteBox : "";
    std::vector<std::string> line = {cell.at("surrogate").get<std::string>(),
                                     str(cell.at("target").get<std::string>(), mark),
                                     accuracy_words(cell.at("natural"))};
    for (const auto& attack : matrix.at("attacks"))
      line.push_back(cell_words(cell, attack.get<std::string>()));
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string matrix_text(const json& matrix) {
  return text_table(matrix_lines(matrix), TableFormat::text) + "\n" + notes(matrix);
}

std::string matrix_markdown(const json& matrix) {
  return text_table(matrix_lines(matrix), TableFormat::markdown) + "\n" + notes(matrix);
}

std::string matrix_latex(const json& matrix) {
  const auto lines = matrix_lines(matrix);
  std::string text = str("% ", latex_cell(budget_words(matrix)), "\n\\begin{tabular}{ll",
                         std::string(lines.front().size() - 2, 'c'), "}\n\\hline\n");
  for (std::size_t l = 0; l < lines.size(); ++l) {
    std::string row;
    for (std::size_t c = 0; c < lines[l].size(); ++c) {
      const bool names = l == 0 || c < 2;
      const auto cell = names ? latex_name(lines[l][c]) : small_bounds(lines[l][c]);
      const bool repeated = l > 1 && c == 0 && lines[l][0] == lines[l - 1][0];
      row += str(c > 0 ? " & " : "", repeated ? "" : cell);
    }
    text += row + " \\\\\n" + (l == 0 ? "\\hline\n" : "");
  }
  return text + "\\hline\n\\end{tabular}\n";
}

}  // namespace namid::report
