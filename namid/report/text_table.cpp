// SPDX-License-Identifier: Apache-2.0
#include "namid/report/text_table.h"

#include <algorithm>

#include "namid/core/format.h"
#include "namid/report/shapes.h"

namespace namid::report {

std::string text_table(const TableLines& lines, TableFormat format) {
  const bool markdown = format == TableFormat::markdown;
  std::vector<std::size_t> widths(lines.front().size(), 3);
  for (const auto& line : lines)
    for (std::size_t c = 0; c < line.size(); ++c)
      widths[c] = std::max(widths[c], count_letters(line[c]));
  const auto padded = [](const std::string& text, std::size_t width) {
    return text + std::string(width - count_letters(text), ' ');
  };
  std::string out;
  for (std::size_t l = 0; l < lines.size(); ++l) {
    std::string row = markdown ? "|" : "";
    for (std::size_t c = 0; c < widths.size(); ++c)
      row += markdown ? str(" ", padded(lines[l][c], widths[c]), " |")
                      : str(padded(lines[l][c], widths[c]), "  ");
    out += row.substr(0, row.find_last_not_of(' ') + 1) + "\n";
    if (l > 0 || !markdown) continue;
    out += "|";
    for (const auto width : widths) out += str(" ", std::string(width, '-'), " |");
    out += "\n";
  }
  return out;
}

}  // namespace namid::report
