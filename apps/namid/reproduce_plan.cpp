// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/reproduce_plan.h"

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

#include "apps/namid/inputs.h"
#include "apps/namid/mi_command.h"
#include "apps/namid/train_command.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/import_weights.h"
#include "namid/report/published.h"

namespace namid::app {
namespace {

using attacks::Norm;

/// What a table holds.
struct Table {
  std::optional<Norm> norm;  ///< none: both
  bool tiny_imagenet = false;
  std::vector<std::string> rows;  ///< "defense" or "defense-variant"
  std::string published_linf, published_l2;
};

const std::map<std::string, Table>& tables() {
  static const std::vector<std::string> kDefenses = {"standard", "at-mim", "namid",  "trades",
                                                     "namid-t",  "mart",   "namid-m"};
  static const std::vector<std::string> kBlackBox = {"standard", "at-mim", "namid"};
  static const std::map<std::string, Table> kTables = {
      {"table1", {{}, true, kDefenses, "3", "4"}},
      {"table2", {Norm::linf, false, kBlackBox, "5", ""}},
      {"table3", {Norm::linf, true, kDefenses, "3", ""}},
      {"table4", {Norm::l2, true, kDefenses, "", "4"}},
      {"table5", {Norm::linf, true, kBlackBox, "5", ""}},
      {"table6", {Norm::l2, true, kBlackBox, "", "6"}},
      {"fig2", {Norm::linf, false, {"fig2"}, "", ""}},
      {"fig4", {Norm::linf, false, {"fig4"}, "", ""}},
      {"fig5",
       {Norm::linf,
        false,
        {"standard", "namid", "namid-no-adversarial", "namid-no-natural", "namid-lambda-0"},
        "fig5",
        ""}},
      {"fig7", {Norm::linf, false, {"standard", "namid-separate", "namid"}, "fig7", ""}},
      {"tuned",
       {Norm::linf,
        false,
        {"standard", "standard-tuned", "namid", "trades", "trades-tuned"},
        "",
        ""}}};
  return kTables;
}

std::string row_name(const Recipe& recipe) {
  return recipe.variant.empty() ? recipe.defense : str(recipe.defense, "-", recipe.variant);
}

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// The words of `list`, each one of `known`; all of them if it is empty.
std::vector<std::string> chosen(const std::string& option, const std::string& list,
                                const std::vector<std::string>& known) {
  const auto words = words_of(list);
  for (const auto& word : words) {
    if (holds(known, word)) continue;
    throw OptionError(
        str("[reproduce] ", option, ": expected some of ", joined(known), ", got '", word, "'"));
  }
  return words.empty() ? known : words;
}

const Table& find_table(const std::string& name) {
  const auto found = tables().find(name);
  if (found != tables().end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [each, table] : tables()) known.push_back(each);
  throw OptionError(
      str("[reproduce] table: expected one of ", joined(known), ", got '", name, "'"));
}

}  // namespace

std::vector<Recipe> plan_of(const Selection& selection, const std::vector<Recipe>& recipes) {
  const Table& table = find_table(selection.table);
  std::vector<std::string> norms;
  for (const auto norm : {Norm::linf, Norm::l2})
    if (!table.norm || *table.norm == norm) norms.emplace_back(to_string(norm));
  norms = chosen("norms", selection.norms, norms);
  const auto rows = chosen("rows", selection.rows, table.rows);

  const auto wanted = [&](const Recipe& recipe) {
    const bool data = recipe.data == "cifar10" ? selection.cifar10
                                               : selection.tiny_imagenet && table.tiny_imagenet;
    if (!data || !holds(norms, std::string(to_string(recipe.norm)))) return false;
    if (recipe.kind == RecipeKind::surrogate) return is_black_box(selection.table);
    const bool shown = is_row(recipe) || recipe.kind == RecipeKind::study;
    return shown && holds(rows, row_name(recipe));
  };
  std::vector<std::string> names;
  for (const auto& recipe : recipes)
    if (wanted(recipe)) names.push_back(recipe.name);
  for (std::size_t i = 0; i < names.size(); ++i)
    for (const auto& need : find_recipe(recipes, names[i])->needs) names.push_back(need);
  std::vector<Recipe> plan;
  for (const auto& recipe : recipes)
    if (holds(names, recipe.name)) plan.push_back(recipe);
  return plan;
}

void change_recipes(std::vector<Recipe>& recipes, const std::string& changes) {
  TrainCommand train;
  EstimateCommand estimate;
  MiCommand mi;
  models::ImportOptions imported;  // of weights by anyone: no recipe has such
  OptionSet imports;
  imports.add("", imported);
  const auto has = [&](RunCommand& command, const std::string& path) {
    const auto options = command.options();
    if (&command != &train)
      for (const auto& entry : imports.entries())
        if (entry.path() == path) return false;
    for (const auto& entry : options.entries())
      if (entry.path() == path) return true;
    return false;
  };
  std::istringstream words(changes);
  for (std::string word; words >> word;) {
    const auto sign = word.find('=');
    const auto path = word.substr(0, sign);
    const std::map<std::string, bool> takes = {
        {"train", has(train, path)}, {"estimate", has(estimate, path)}, {"mi", has(mi, path)}};
    const bool known = takes.at("train") || takes.at("estimate") || takes.at("mi");
    if (sign == std::string::npos || !known)
      throw OptionError(
          str("[reproduce] changes: expected OPTION=VALUE with an option of namid train, namid "
              "estimate or namid mi, such as epochs=1, got '",
              word, "'"));
    for (auto& recipe : recipes)
      if (takes.at(recipe.command)) recipe.settings.emplace_back(path, word.substr(sign + 1));
  }
}

bool is_row(const Recipe& recipe) {
  return recipe.kind == RecipeKind::defense || recipe.kind == RecipeKind::ablation ||
         recipe.kind == RecipeKind::tuned;
}

std::string published_table(const std::string& table, Norm norm) {
  const auto& found = find_table(table);
  return norm == Norm::linf ? found.published_linf : found.published_l2;
}

bool is_black_box(const std::string& table) {
  return table == "table2" || table == "table5" || table == "table6";
}

std::vector<Column> attacked_columns(const std::string& table, const Recipe& recipe, Scale scale,
                                     Columns which) {
  attacks::PgdOptions attack;
  OptionSet set;
  set.add("attack", attack);
  for (const auto& [path, text] : recipe.settings)
    if (path == "attack.norm" || path == "attack.epsilon") set.set(path, text);
  auto columns = columns_of("pgd-40", attack);
  columns.push_back({.name = judge_name(scale),
                     .suite = {.suite = judging_suite(scale)},
                     .attack = columns.front().attack});
  const bool all = which == Columns::paper;
  if (!all && !is_black_box(table)) return columns;
  const auto paper = report::published_columns(published_table(table, recipe.norm));
  const auto wanted = [&](const Column& column) {
    for (const auto& other : columns)
      if (other.name == column.name) return false;
    return all ? paper.empty() || holds(paper, column.name) : column.name != "autoattack";
  };
  for (auto& column : columns_of(recipe.norm == Norm::linf ? "paper-linf" : "paper-l2", attack))
    if (wanted(column)) columns.push_back(std::move(column));
  return columns;
}

std::string baseline_of(const Recipe& recipe, const std::vector<Recipe>& recipes) {
  std::string row = "standard";
  if (recipe.defense == "namid-t") row = "trades";
  if (recipe.defense == "namid-m") row = "mart";
  if (recipe.kind == RecipeKind::ablation) row = "namid";
  if (recipe.kind == RecipeKind::tuned) row = recipe.defense;
  for (const auto& other : recipes) {
    const bool same = other.data == recipe.data && other.norm == recipe.norm;
    if (same && other.name != recipe.name && row_name(other) == row && is_row(other))
      return other.name;
  }
  return "";
}

}  // namespace namid::app
