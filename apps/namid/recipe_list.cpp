// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/recipe_list.h"

#include "apps/namid/inputs.h"
#include "apps/namid/recipes.h"
#include "apps/namid/reproduce_plan.h"
#include "namid/core/format.h"
#include "namid/io/atomic_file.h"
#include "namid/report/figure_scores.h"
#include "namid/report/published.h"

namespace namid::app {
namespace {

std::string tables_of(const Recipe& recipe) {
  if (recipe.kind == RecipeKind::ablation) return recipe.variant == "separate" ? "fig7" : "fig5";
  return recipe.kind == RecipeKind::defense ? "table1" : "";
}

/// "natural, pgd-10: I(x; h(x)) 0.485; ...": what the paper's figure shows.
std::string published_scores_text(const std::string& figure) {
  std::vector<std::string> texts;
  for (const auto& score : report::published_scores())
    if (score.figure == figure)
      texts.push_back(str(score.critic, ", ", score.attack, ": ",
                          report::score_symbol(score.quantity), " ", fixed(score.value, 3)));
  return joined(texts, "; ");
}

/// "natural 83.41 ± 0.56, pgd-40 44.79 ± 0.50, ..."; empty for what the paper has no row of.
std::string published_text(const Recipe& recipe) {
  if (recipe.kind == RecipeKind::study) return published_scores_text(recipe.defense);
  const auto table = tables_of(recipe);
  if (table.empty()) return "";
  const auto published = published_table(table, recipe.norm);
  const auto* row = report::find_published(
      published, recipe.data, std::string(to_string(recipe.norm)), recipe.defense, recipe.variant);
  if (row == nullptr) return "";
  const auto columns = report::published_columns(published);
  std::string text;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (!row->values[i]) continue;
    text += str(text.empty() ? "" : ", ", columns[i] == "none" ? "natural" : columns[i], " ",
                fixed(row->values[i]->mean, 2));
    if (row->values[i]->sd) text += str(" ± ", fixed(*row->values[i]->sd, 2));
  }
  return text;
}

}  // namespace

Rows list_recipes() {
  Rows rows;
  for (const auto& recipe : make_recipes(Scale::full))
    rows.push_back({{"name", recipe.name},
                    {"command", recipe.command},
                    {"paper", recipe.paper},
                    {"published", published_text(recipe)},
                    {"on", joined(recipe.needs)},
                    {"state", "never run at full scale"}});
  return rows;
}

void write_recipes(const std::filesystem::path& folder) {
  for (const auto& recipe : make_recipes(Scale::full))
    io::write_file_atomically(folder / (recipe.name + ".toml"), recipe.toml());
}

}  // namespace namid::app
