// SPDX-License-Identifier: Apache-2.0
#include "namid/models/registry.h"

#include "namid/core/option_set.h"
#include "namid/models/classifier_impl.h"
#include "namid/models/copy_state.h"
#include "namid/models/network.h"
#include "namid/models/seeded_scope.h"
#include "namid/models/small_cnn.h"

namespace namid::models {
namespace {

using Builder =
    std::function<std::shared_ptr<Network>(const ModelOptions& options, const NetworkShape& shape)>;

struct Entry {
  ModelInfo info;
  Builder build;
};

const std::vector<Entry>& table() {
  static const std::vector<Entry> entries{
      {{"small_cnn", "two convolutions, two linear layers; for quick trials", ""},
       [](const auto&, const auto& shape) { return make_small_cnn(shape); }},
  };
  return entries;
}

std::shared_ptr<Network> build(const ModelOptions& options, const NetworkShape& shape) {
  std::vector<std::string> names;
  for (const auto& entry : table()) {
    if (entry.info.name == options.model) return entry.build(options, shape);
    names.push_back(entry.info.name);
  }
  const auto guess = nearest(options.model, names);
  throw OptionError(str(
      "[model] model: unknown network '", options.model, "'",
      guess.empty() ? "; `namid list models` shows all" : str("; did you mean '", guess, "'?")));
}

void check_images(const ModelOptions& options, const std::vector<std::int64_t>& shape) {
  const bool any = options.model == "mlp" || options.model == "sequential";
  if (!any && (shape.size() != 3 || shape[1] < 4 || shape[2] < 4))
    throw OptionError(str("[model] input_shape: ", options.model,
                          " expects (channels, height, width) of at least 4x4 pixels, got ",
                          shape_text(shape)));
}

std::map<std::string, std::string> recipe_of(ModelOptions options) {
  OptionSet set;
  set.add("", options);
  std::map<std::string, std::string> recipe;
  for (const auto& entry : set.entries()) recipe[entry.path()] = entry.text();
  return recipe;
}

}  // namespace

Classifier create(const ModelOptions& options, const std::vector<std::int64_t>& input_shape,
                  std::int64_t num_classes, std::uint64_t seed) {
  validate(options, "model");
  ClassifierInfo info{.name = options.model,
                      .num_classes = num_classes,
                      .input_shape = input_shape,
                      .mean = options.mean,
                      .std = options.std,
                      .recipe = recipe_of(options)};
  check_info(info);
  check_images(options, input_shape);
  const SeededScope seeded(seed);
  return {build(options, {input_shape, num_classes, options.width}), std::move(info)};
}

std::vector<ModelInfo> list_models() {
  std::vector<ModelInfo> infos;
  for (const auto& entry : table()) infos.push_back(entry.info);
  return infos;
}

}  // namespace namid::models
