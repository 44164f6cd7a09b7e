// SPDX-License-Identifier: Apache-2.0
#include "namid/core/format.h"
#include "namid/mi/validation.h"

namespace namid::mi {
namespace {

using nlohmann::json;
using Row = std::vector<std::string>;

std::string table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 3);
  for (const auto& row : rows)
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  std::string text;
  const auto add = [&](const Row& row, char pad) {
    text += "|";
    for (std::size_t c = 0; c < row.size(); ++c)
      text += str(" ", row[c], std::string(widths[c] - row[c].size(), pad), " |");
    text += "\n";
  };
  add(rows.front(), ' ');
  add(Row(widths.size(), "---"), '-');
  for (std::size_t r = 1; r < rows.size(); ++r) add(rows[r], ' ');
  return text;
}

std::string verdict(const json& item, bool asked) {
  const std::string text = item["right"].get<bool>() ? "right" : asked ? "WRONG" : "off";
  return item.value("saturated", false) ? text + ", saturated" : text;
}

}  // namespace

std::string validation_text(const json& result) {
  const auto number = [](const json& cell, const char* key) {
    return fixed(cell[key].get<double>(), 3);
  };
  std::vector<Row> cells{{"family", "d", "truth", "mean", "sd", "error", "verdict"}};
  for (const auto& cell : result["cells"])
    cells.push_back({cell["family"], str(cell["dimension"].get<int>()), number(cell, "truth"),
                     number(cell, "mean"), number(cell, "sd"), number(cell, "error"),
                     verdict(cell, cell["asked"].get<bool>())});
  const std::string kind = result["kind"], holds = result["holds"], bound = result["bound"];
  std::string text = str("bound ", bound, " (", kind, holds.empty() ? "" : "; " + holds,
                         "), held-out batches of N = ", result["n"].get<int>(),
                         ", log N = ", number(result, "log_n"), " nats\n\n", table(cells), "\n");
  if (!result["controls"].empty()) {
    std::vector<Row> rows{{"control", "estimates", "verdict"}};
    for (const auto& control : result["controls"])
      rows.push_back({control["name"], control["says"], verdict(control, true)});
    text += table(rows) + "\n";
  }
  return text + str(result["right"].get<int>(), " of ", result["asked"].get<int>(), " cells up to ",
                    kAskedUpTo, " nats and controls are right\n");
}

}  // namespace namid::mi
