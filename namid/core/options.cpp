// SPDX-License-Identifier: Apache-2.0
#include "namid/core/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

namespace namid {

bool Range::contains(double value) const {
  if (!std::isfinite(value)) return false;
  return (open_low ? value > low : value >= low) && value <= high;
}

std::string Range::text() const {
  const bool has_low = std::isfinite(low), has_high = std::isfinite(high);
  if (has_low && has_high) return str("a number in ", open_low ? "(" : "[", low, ", ", high, "]");
  if (has_low) return str(open_low ? "> " : "≥ ", low);
  if (has_high) return str("≤ ", high);
  return "a finite number";
}

namespace {
double parse_plain(std::string_view text, std::string_view whole) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty())
    throw OptionError(str("expected a number such as 0.03 or 8/255, got '", whole, "'"));
  return value;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}
}  // namespace

double parse_number(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return parse_plain(text, text);
  const double denominator = parse_plain(text.substr(slash + 1), text);
  if (denominator == 0) throw OptionError(str("division by zero in '", text, "'"));
  return parse_plain(text.substr(0, slash), text) / denominator;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    const auto distance = edit_distance(word, candidate);
    if (distance < best_distance) best_distance = distance, best = candidate;
  }
  return best;
}

}  // namespace namid
