// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/recipes.h"

#include <algorithm>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::app {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

/// What a scale fixes for every row.
struct Size {
  std::string model;
  Settings data, training, estimation;
  std::string epsilon_linf, epsilon_l2;
  std::string units;
};

Size size_of(Scale scale) {
  switch (scale) {
    case Scale::tiny:
      return {.model = "small_cnn",
              .data = {{"validation", "500"}},
              .training = {{"width", "8"},
                           {"epochs", "10"},
                           {"batch_size", "128"},
                           {"lr", "0.05"},
                           {"milestones", "8,10"}},
              .estimation = {{"epochs", "6"}, {"batch_size", "128"}, {"milestones", "5,6"}},
              .epsilon_linf = "0.1",
              .epsilon_l2 = "1.5",
              .units = "128"};
    case Scale::small:
      return {.model = "resnet18",
              .data = {{"validation", "500"}, {"train_limit", "10500"}, {"augment", "on"}},
              .training = {{"width", "16"},
                           {"epochs", "12"},
                           {"batch_size", "128"},
                           {"lr", "0.1"},
                           {"milestones", "9,11"}},
              .estimation = {{"epochs", "5"}, {"batch_size", "128"}, {"milestones", "4,5"}},
              .epsilon_linf = "8/255",
              .epsilon_l2 = "0.5",
              .units = "256"};
    case Scale::full:
      break;
  }
  return {.model = "resnet18",
          .data = {{"validation", "1000"}, {"augment", "on"}},
          .training = {{"epochs", "100"},
                       {"batch_size", "1024"},
                       {"lr", "0.1"},
                       {"milestones", "75,90"}},
          .estimation = {{"epochs", "25"}, {"batch_size", "256"}, {"milestones", "11,21"}},
          .epsilon_linf = "8/255",
          .epsilon_l2 = "0.5",
          .units = "2048"};
}

/// A defence's row, besides the sizes.
struct Line {
  std::string defense, variant;
  std::string estimators;  ///< objective of those it needs, if any
  RecipeKind kind = RecipeKind::defense;
  std::string paper;
  Settings settings;
};

/// The one table. `paper` without a colon is completed by data set and norm.
const std::vector<Line>& lines() {
  using enum RecipeKind;
  static const std::vector<Line> kLines = {
      {"standard", "", "", defense, "Standard", {}},
      {"at-mim", "", "standard", defense, "WMIM", {}},
      {"namid", "", "selected", defense, "NAMID", {{"namid.alpha", "5"}, {"namid.lambda", "0.1"}}},
      {"trades", "", "", defense, "TRADES", {{"trades.beta", "6"}}},
      {"namid-t", "", "selected", defense, "NAMID_T", {{"trades.beta", "6"}}},
      {"mart", "", "", defense, "MART", {{"mart.beta", "6"}}},
      {"namid-m", "", "selected", defense, "NAMID_M", {{"mart.beta", "6"}}},
      {"namid",
       "no-adversarial",
       "selected",
       ablation,
       "Fig. 5 (i): without adversarial MI",
       {{"namid.adversarial_term", "false"}}},
      {"namid",
       "no-natural",
       "selected",
       ablation,
       "Fig. 5 (ii): without natural MI",
       {{"namid.natural_term", "false"}}},
      {"namid",
       "lambda-0",
       "selected",
       ablation,
       "Fig. 5 (iii): lambda 0",
       {{"namid.lambda", "0"}}},
      {"namid", "separate", "separate", ablation, "Fig. 7: NAMID on the estimators of Eq. 4", {}},
  };
  return kLines;
}

// Rice et al. 2020 and Pang et al. 2021: weight decay 5e-4, early stopping on robust validation
// accuracy. ResNet-18 with the usual stem, as in the public figures.
const std::vector<Line>& tuned_lines() {
  static const Settings kTuned = {{"model", "resnet18-cifar"}, {"epochs", "110"},
                                  {"batch_size", "128"},       {"milestones", "100,105"},
                                  {"weight_decay", "5e-4"},    {"select", "validation"}};
  static const std::vector<Line> kLines = {
      {"standard", "tuned", "", RecipeKind::tuned, "not in the paper: tuned standard training",
       kTuned},
      {"trades", "tuned", "", RecipeKind::tuned, "not in the paper: tuned TRADES", kTuned}};
  return kLines;
}

std::string data_title(const std::string& data) {
  return data == "cifar10" ? "CIFAR-10" : "Tiny-ImageNet";
}

class Maker {
 public:
  explicit Maker(Scale scale) : scale_(scale), size_(size_of(scale)) {}

  std::vector<Recipe> make() {
    add_family("cifar10", attacks::Norm::linf);
    add_family("cifar10", attacks::Norm::l2);
    if (scale_ != Scale::tiny) {
      add_family("tiny-imagenet", attacks::Norm::linf);
      add_family("tiny-imagenet", attacks::Norm::l2);
    }
    return std::move(recipes_);
  }

 private:
  /// The rows of one data set and norm, whose runs build on one another.
  void add_family(const std::string& data, attacks::Norm norm) {
    data_ = data;
    norm_ = norm;
    add_defense(lines().front());
    for (const char* objective : {"selected", "standard"}) add_estimators(objective, "standard");
    for (const auto& line : lines())
      if (line.kind == RecipeKind::defense && line.defense != "standard") add_defense(line);
    add_surrogate();
    if (data != "cifar10" || norm != attacks::Norm::linf) return;
    add_natural();
    add_estimators("natural", "natural");
    add_estimators("separate", "standard");
    for (const auto& line : lines())
      if (line.kind == RecipeKind::ablation) add_defense(line);
    for (const auto& line : tuned_lines()) add_defense(line);
    add_study("fig2", "Fig. 2: scores of a naturally trained model", {"natural"},
              scale_ == Scale::full ? "pgd-10,pgd-40,autoattack" : "pgd-10,pgd-40,apgd-t");
    add_study("fig4", "Fig. 4: scores under estimators of Eq. 4 and Eq. 5",
              {"separate", "selected"}, "pgd-40");
  }

  Recipe start(const std::string& command, RecipeKind kind, const std::string& row) const {
    Recipe recipe{.command = command, .kind = kind, .data = data_, .norm = norm_};
    recipe.name = name_of(row);
    return recipe;
  }

  std::string name_of(const std::string& row) const {
    const std::string data = scale_ == Scale::tiny ? "fashion-mnist-mini" : data_;
    return str(data, "-", size_.model, "-", row, "-", to_string(norm_));
  }

  Settings attack() const {
    return {
        {"attack.norm", std::string(to_string(norm_))},
        {"attack.epsilon", norm_ == attacks::Norm::linf ? size_.epsilon_linf : size_.epsilon_l2},
        {"attack.steps", "10"}};
  }

  std::string table_of(const std::string& row) const {
    const char* table = norm_ == attacks::Norm::linf ? "Tables 1 and 3" : "Tables 1 and 4";
    return str(table, ": ", data_title(data_), ", ", row);
  }

  void add_defense(const Line& line) {
    auto recipe = start("train", line.kind,
                        line.variant.empty() ? line.defense : line.defense + "-" + line.variant);
    recipe.defense = line.defense;
    recipe.variant = line.variant;
    recipe.paper = line.paper.find(':') == std::string::npos ? table_of(line.paper) : line.paper;
    if (!line.estimators.empty()) recipe.needs = {name_of("estimators-" + line.estimators)};
    add(recipe, {{"defense", line.defense}, {"model", size_.model}}, size_.training);
    for (const auto& [path, text] : line.settings) set(recipe, path, text);
    finish(recipe);
  }

  void add_natural() {
    auto recipe = start("train", RecipeKind::target, "natural");
    recipe.defense = "natural";
    recipe.paper = "Fig. 2: CIFAR-10, naturally trained target";
    add(recipe, {{"defense", "natural"}, {"model", size_.model}}, size_.training);
    finish(recipe);
  }

  void add_surrogate() {
    auto recipe = start("train", RecipeKind::surrogate, "surrogate");
    if (scale_ != Scale::tiny) recipe.name = str(data_, "-vgg19-standard-", to_string(norm_));
    recipe.defense = "standard";
    recipe.variant = "surrogate";
    recipe.paper = str("Tables 2, 5 and 6: ", data_title(data_), ", surrogate VGG-19");
    add(recipe, {{"defense", "standard"}, {"model", "vgg19"}}, size_.training);
    if (scale_ == Scale::tiny) {  // VGG needs 32 × 32 images; of width 8 it would be the target
      set(recipe, "model", "small_cnn");
      set(recipe, "width", "16");
    }
    finish(recipe);
  }

  void add_estimators(const std::string& objective, const std::string& target) {
    auto recipe = start("estimate", RecipeKind::estimators, "estimators-" + objective);
    recipe.defense = objective;
    recipe.paper = objective == "selected"   ? "Eq. 5: estimators of NAMID"
                   : objective == "separate" ? "Eq. 4: estimators of Fig. 4 and 7"
                   : objective == "standard" ? "estimator of the WMIM rows"
                                             : "Fig. 2: estimator on natural images";
    recipe.needs = {name_of(target)};
    add(recipe, {{"objective", objective}}, size_.estimation);
    set(recipe, "units", size_.units);
    finish(recipe);
  }

  void add_study(const std::string& figure, const std::string& paper,
                 const std::vector<std::string>& objectives, const std::string& attacks) {
    auto recipe = start("mi", RecipeKind::study, figure);
    recipe.defense = figure;
    recipe.paper = paper;
    for (const auto& objective : objectives)
      recipe.needs.push_back(name_of("estimators-" + objective));
    recipe.settings = {{"attacks", attacks}, {"images", "1000"}};
    finish(recipe);
  }

  static void set(Recipe& recipe, const std::string& path, const std::string& text) {
    for (auto& [key, value] : recipe.settings)
      if (key == path) return void(value = text);
    recipe.settings.emplace_back(path, text);
  }

  void add(Recipe& recipe, const Settings& own, const Settings& size) const {
    recipe.settings = own;
    recipe.settings.insert(recipe.settings.end(), size.begin(), size.end());
    recipe.settings.insert(recipe.settings.end(), size_.data.begin(), size_.data.end());
  }

  void finish(Recipe& recipe) {
    for (const auto& [path, text] : attack()) set(recipe, path, text);
    std::stable_partition(recipe.settings.begin(), recipe.settings.end(), [](const auto& setting) {
      return setting.first.find('.') == std::string::npos;
    });
    recipes_.push_back(std::move(recipe));
  }

  Scale scale_;
  Size size_;
  std::string data_;
  attacks::Norm norm_ = attacks::Norm::linf;
  std::vector<Recipe> recipes_;
};

/// A value as TOML writes it: numbers, truth values and lists as they are, all else quoted.
std::string toml_value(const std::string& text) {
  if (text == "true" || text == "false") return text;
  if (text.find_first_not_of("0123456789.,-e") != std::string::npos) return "\"" + text + "\"";
  return text.find(',') == std::string::npos ? text : "[" + text + "]";
}

std::string how_to_run(const Recipe& recipe) {
  const auto config = str("--config recipes/", recipe.name, ".toml --data FOLDER");
  if (recipe.command == "estimate") return str("namid estimate TARGET_RUN ", config);
  if (recipe.command == "mi") return str("namid mi MODEL_RUN ", config, " --estimators RUN[,RUN]");
  return str("namid train ", config, recipe.needs.empty() ? "" : " --estimators ESTIMATOR_RUN");
}

}  // namespace

std::string Recipe::toml() const {
  std::string text = str("# ", paper, ". Never run at full scale.\n#   ", how_to_run(*this), "\n");
  for (const auto& need : needs) text += str("# on the run of recipes/", need, ".toml\n");
  std::string section;
  for (const auto& [path, value] : settings) {
    const auto dot = path.find('.');
    const std::string table = dot == std::string::npos ? "" : path.substr(0, dot);
    if (table != section) text += str("\n[", table, "]\n");
    section = table;
    text +=
        str(dot == std::string::npos ? path : path.substr(dot + 1), " = ", toml_value(value), "\n");
  }
  return text;
}

void Recipe::apply(const OptionSet& options) const {
  for (const auto& [path, text] : settings) options.set(path, text);
}

std::vector<Recipe> make_recipes(Scale scale) {
  return Maker(scale).make();
}

const Recipe* find_recipe(const std::vector<Recipe>& recipes, std::string_view name) {
  const auto found = std::find_if(recipes.begin(), recipes.end(),
                                  [&](const Recipe& recipe) { return recipe.name == name; });
  return found == recipes.end() ? nullptr : &*found;
}

std::string judging_suite(Scale scale) {
  return scale == Scale::full ? "autoattack" : "apgd-ce(steps=50), apgd-t(steps=20)";
}

std::string judge_name(Scale scale) {
  return scale == Scale::full ? "autoattack" : "apgd";
}

}  // namespace namid::app
