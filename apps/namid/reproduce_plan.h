// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "apps/namid/recipes.h"
#include "apps/namid/transfer_columns.h"

namespace namid::app {

/// Which rows are wanted.
struct Selection {
  std::string table;                          ///< "table1" ... "table6", "fig2" ... "fig7", "tuned"
  std::string norms, rows;                    ///< comma lists; empty: all of the table
  bool cifar10 = true, tiny_imagenet = true;  ///< whether their images are at hand
};

/// The recipes of a table's rows and those that they need, in an order in which each comes after
/// what it needs. OptionError for an unknown table, norm or row (with the nearest name).
std::vector<Recipe> plan_of(const Selection& selection, const std::vector<Recipe>& recipes);

/// Rows of a printed table: defences. The other recipes are there because rows need them, or give
/// scores.
bool is_row(const Recipe& recipe);

/// Replaces settings of the recipes by "path=text path=text"; each is given to the commands that
/// have such an option. OptionError for one that none of them has.
void change_recipes(std::vector<Recipe>& recipes, const std::string& changes);

/// The table of report::published_rows that a row of `table` is compared with: "3" for an L-inf row
/// of table1; empty for those the paper does not have.
std::string published_table(const std::string& table, attacks::Norm norm);

/// Tables 2, 5 and 6: images made on a surrogate, judged by the rows.
bool is_black_box(const std::string& table);

/// Which of a table's columns are measured.
enum class Columns {
  judge,  ///< PGD-40 and the scale's judge; of a black-box table all but AutoAttack
  paper   ///< all of the paper's, and the judge
};

/// What attacks a row of `table`. Budget: that of the recipe.
std::vector<Column> attacked_columns(const std::string& table, const Recipe& recipe, Scale scale,
                                     Columns columns);

/// The row that another is compared with: TRADES for NAMID_T, MART for NAMID_M, NAMID for its
/// ablations, else standard training of the same data and norm. Empty if `recipes` lacks it.
std::string baseline_of(const Recipe& recipe, const std::vector<Recipe>& recipes);

}  // namespace namid::app

namespace namid {
template <>
struct EnumNames<app::Columns> {
  static constexpr std::array kNames{"judge", "paper"};
};
}  // namespace namid
