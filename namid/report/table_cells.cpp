// SPDX-License-Identifier: Apache-2.0
#include "namid/report/table_cells.h"

#include <string_view>

#include "namid/core/format.h"
#include "namid/report/html.h"

namespace namid::report {
namespace {

constexpr std::string_view kUnreadable = "\xEF\xBF\xBD";  // what html.h's escape puts for bytes
constexpr std::string_view kPlusMinus = "\xC2\xB1";

std::string latex_letter(char c) {
  switch (c) {
    case '\\':
      return "\\textbackslash{}";
    case '~':
      return "\\textasciitilde{}";
    case '^':
      return "\\textasciicircum{}";
    case '<':
      return "\\textless{}";
    case '>':
      return "\\textgreater{}";
    case '|':
      return "\\textbar{}";
    case '"':
      return "''";
    case '[':
    case ']':
    case '*':
      return str("{", c, "}");
    case '&':
    case '%':
    case '$':
    case '#':
    case '_':
    case '{':
    case '}':
      return str("\\", c);
    default:
      return std::string(1, c);
  }
}

/// Whether `letter`, one code point, is readable: escape knows what is no UTF-8.
bool is_readable(std::string_view letter) {
  return escape(letter).find(kUnreadable) == std::string::npos;
}

std::size_t length_of(unsigned char first) {
  return first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
}

}  // namespace

std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text.empty() ? "-" : text;
}

std::string markdown_cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("\\`*_{}[]<>()#!|&~").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string markdown_line(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) line += str(' ', cell, " |");
  return line + "\n";
}

std::string latex_cell(const std::string& text) {
  const std::string plain = printable(text);
  std::string out;
  for (std::string_view rest = plain; !rest.empty();) {
    const auto letter = rest.substr(0, length_of(static_cast<unsigned char>(rest[0])));
    if (!is_readable(letter)) {
      out += '?';
      rest.remove_prefix(1);
      continue;
    }
    out += letter == kPlusMinus ? "$\\pm$"
           : letter.size() == 1 ? latex_letter(letter[0])
                                : std::string(letter);
    rest.remove_prefix(letter.size());
  }
  return out;
}

std::string mean_text(double mean, std::optional<double> deviation) {
  return deviation ? str(fixed(mean, 2), " ± ", fixed(*deviation, 2)) : fixed(mean, 2);
}

}  // namespace namid::report
