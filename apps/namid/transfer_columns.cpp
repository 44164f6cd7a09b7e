// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/transfer_columns.h"

#include <algorithm>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/option_set.h"

namespace namid::app {
namespace {

// The paper gives neither kernel nor radius of its FWA: those of the registry.
constexpr const char* kPaperLinf =
    "pgd-40, autoattack, fwa-40=frank-wolfe(steps=40, norm=wasserstein, epsilon=0.005), ti-dim";
constexpr const char* kPaperL2 = "pgd-40, cw, ddn";

std::string without_blanks(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\n");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

/// Splits at commas outside of parentheses; empty parts are left out.
std::vector<std::string> parts_of(const std::string& list) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (const char c : list) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (c == ',' && depth == 0) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  if (depth != 0) throw OptionError(str("[transfer] suite: unmatched parenthesis in '", list, "'"));
  for (auto& part : parts) part = without_blanks(part);
  std::erase(parts, "");
  return parts;
}

/// "attack(a=1, norm=l2)" as "attack(a=1)", norm and epsilon going to the budget.
std::string take_budget(const std::string& text, attacks::Budget& budget) {
  const auto open = text.find('(');
  if (open == std::string::npos || !text.ends_with(")")) return text;
  std::string rest;
  for (const auto& setting : parts_of(text.substr(open + 1, text.size() - open - 2))) {
    const auto equals = setting.find('=');
    const auto key = without_blanks(setting.substr(0, equals));
    OptionSet set;
    set.add(without_blanks(text.substr(0, open)), budget);
    if (equals != std::string::npos && (key == "norm" || key == "epsilon")) {
      set.set(key, without_blanks(setting.substr(equals + 1)));
    } else {
      rest += (rest.empty() ? "" : ", ") + setting;
    }
  }
  return text.substr(0, open) + (rest.empty() ? "" : "(" + rest + ")");
}

void check_column_name(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '+';
  });
  if (name.empty() || !plain || name.front() == '.')
    throw OptionError(
        str("[transfer] suite: expected a column's name of letters, digits, '-', "
            "'_', '+' and '.', got '",
            name, "'"));
}

Column column_of(const std::string& text, const attacks::PgdOptions& attack,
                 eval::AutoAttackVersion version) {
  const auto equals = text.find('='), open = text.find('(');
  const bool named = equals < open;
  auto spec = named ? without_blanks(text.substr(equals + 1)) : text;
  Column column{.name = without_blanks(named ? text.substr(0, equals) : text.substr(0, open)),
                .suite = {.aa_version = version},
                .attack = attack};
  check_column_name(column.name);
  if (spec.starts_with("pgd-")) {
    try {
      column.attack.steps = static_cast<int>(detail::parse_integer(spec.substr(4), 1, 1000000));
    } catch (const OptionError&) {
      throw OptionError(
          str("[transfer] suite: expected pgd-N with N from 1 to 1000000, got '", spec, "'"));
    }
    spec = "pgd";
  } else if (spec == "pgd" && !named) {
    column.name = str("pgd-", attack.steps);
  }
  column.suite.suite = take_budget(spec, column.attack.budget);
  (void)eval::make_suite(column.suite, column.attack);
  return column;
}

}  // namespace

std::vector<Column> columns_of(const std::string& list, const attacks::PgdOptions& attack,
                               eval::AutoAttackVersion version) {
  std::vector<std::string> parts;
  for (const auto& part : parts_of(list)) {
    const auto* paper = part == "paper-linf" ? kPaperLinf : part == "paper-l2" ? kPaperL2 : nullptr;
    if (paper == nullptr) {
      parts.push_back(part);
    } else {
      for (const auto& column : parts_of(paper)) parts.push_back(column);
    }
  }
  std::vector<Column> columns;
  for (const auto& part : parts) {
    auto column = column_of(part, attack, version);
    for (const auto& other : columns)
      if (other.name == column.name)
        throw OptionError(str("[transfer] suite: the column ", column.name,
                              " stands twice; give one a name of its own: NAME=", part));
    columns.push_back(std::move(column));
  }
  if (columns.empty())
    throw OptionError("[transfer] suite: expected at least one column, such as pgd-40");
  return columns;
}

}  // namespace namid::app
