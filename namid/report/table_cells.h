// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace namid::report {

// What stands in the cells of tables of text, Markdown and LaTeX.

/// A line of its own for terminals and tables: control characters, which would change what is
/// shown, become '?'; an empty text "-".
std::string printable(std::string text);

/// The text with every character escaped that Markdown gives a meaning.
std::string markdown_cell(const std::string& text);
/// "| a | b |" and a line's end.
std::string markdown_line(const std::vector<std::string>& cells);

/// The text as LaTeX shows it, without any package: special characters as commands, "±" as $\pm$,
/// brackets and stars in braces (after a row's end they would be its arguments), control characters
/// and what is no UTF-8 as '?'.
std::string latex_cell(const std::string& text);

/// "62.30 ± 1.21"; without a deviation the mean alone.
std::string mean_text(double mean, std::optional<double> deviation);

}  // namespace namid::report
