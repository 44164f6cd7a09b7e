// SPDX-License-Identifier: Apache-2.0
#pragma once

// The rows of the paper as configurations of `namid train`, `namid estimate` and `namid mi`. The
// files in recipes/ are this table at full scale, written by `namid list recipes --write DIR`;
// `namid reproduce` runs the same table at any scale.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "namid/attacks/norms.h"
#include "namid/core/option_set.h"

namespace namid::app {

/// How large everything is. tiny: fashion-mnist-mini and a small network, minutes a row; small:
/// ResNet-18 of width 16 on a part of CIFAR-10, an hour or so a row; full: the paper's settings.
enum class Scale { tiny, small, full };

/// What a recipe is for.
enum class RecipeKind { target, estimators, defense, surrogate, ablation, tuned, study };

/// One run of a chain: which command, with which options, on which earlier runs.
struct Recipe {
  std::string name;     ///< "cifar10-resnet18-namid-linf"; also its file's stem
  std::string command;  ///< "train", "estimate" or "mi"
  RecipeKind kind = RecipeKind::defense;
  std::string data;  ///< "cifar10", "tiny-imagenet"
  attacks::Norm norm = attacks::Norm::linf;
  std::string defense;             ///< a defence's name; estimators: objective; study: figure
  std::string variant;             ///< as in report::PublishedRow
  std::string paper;               ///< where the paper has it: "Tables 1 and 3: CIFAR-10, NAMID"
  std::vector<std::string> needs;  ///< names of the recipes whose runs it starts from
  std::vector<std::pair<std::string, std::string>> settings;  ///< option path → text, in order

  /// The settings as a TOML document under a comment that says how to run it.
  std::string toml() const;
  /// Sets them on a command's options; OptionError for one that it does not have.
  void apply(const OptionSet& options) const;
};

/// All rows at a scale, those that others need before them. At tiny scale both data sets of the
/// paper stand for fashion-mnist-mini, so only the rows of CIFAR-10 are there.
std::vector<Recipe> make_recipes(Scale scale);

/// The recipe of that name, or null.
const Recipe* find_recipe(const std::vector<Recipe>& recipes, std::string_view name);

/// Attacks that judge a defence at a scale, as a suite: AutoAttack at full scale, APGD-CE and
/// APGD-T below it.
std::string judging_suite(Scale scale);
/// The column of its verdicts: "autoattack" or "apgd".
std::string judge_name(Scale scale);

}  // namespace namid::app

namespace namid {
template <>
struct EnumNames<app::Scale> {
  static constexpr std::array kNames{"tiny", "small", "full"};
};
}  // namespace namid
