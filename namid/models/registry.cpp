// SPDX-License-Identifier: Apache-2.0
#include "namid/models/registry.h"

#include <cstdio>

#include "namid/core/option_set.h"
#include "namid/models/classifier_impl.h"
#include "namid/models/copy_state.h"
#include "namid/models/mlp.h"
#include "namid/models/resnet.h"
#include "namid/models/seeded_scope.h"
#include "namid/models/sequential.h"
#include "namid/models/small_cnn.h"
#include "namid/models/vgg.h"
#include "namid/models/wideresnet.h"

namespace namid::models {
namespace {

using Builder =
    std::function<std::shared_ptr<Network>(const ModelOptions& options, const NetworkShape& shape)>;

constexpr auto kResNetPaper = "He et al. 2016, arXiv:1512.03385";
constexpr auto kWide = "wideresnet-D-W";

struct Entry {
  ModelInfo info;
  Builder build;
};

Entry resnet(int depth, const std::string& blocks) {
  return {{str("resnet", depth), str(blocks, "; stem without padding, as released"), kResNetPaper},
          [depth](const auto&, const auto& shape) { return make_resnet(depth, 0, shape); }};
}

Entry vgg(int depth) {
  return {{str("vgg", depth), "3x3 convolutions with BatchNorm, one linear layer",
           "Simonyan & Zisserman 2015, arXiv:1409.1556"},
          [depth](const auto&, const auto& shape) { return make_vgg(depth, shape); }};
}

std::shared_ptr<Network> build_wideresnet(const ModelOptions& options, const NetworkShape& shape) {
  int depth = 0, widen = 0, end = 0;
  const auto read =
      std::sscanf(options.model.c_str(), "wideresnet-%4d-%4d%n", &depth, &widen, &end);
  if (read != 2 || static_cast<std::size_t>(end) != options.model.size())
    throw OptionError(
        str("[model] model: expected wideresnet-DEPTH-WIDEN such as wideresnet-34-10, "
            "got '",
            options.model, "'"));
  return make_wideresnet(depth, widen, options.reference_extras, shape);
}

const std::vector<Entry>& table() {
  static const std::vector<Entry> entries{
      resnet(18, "basic blocks 2-2-2-2"),
      resnet(34, "basic blocks 3-4-6-3"),
      resnet(50, "bottlenecks 3-4-6-3"),
      resnet(101, "bottlenecks 3-4-23-3"),
      resnet(152, "bottlenecks 3-8-36-3"),
      {{"resnet18-cifar", "resnet18 with a padded stem, the usual CIFAR form", kResNetPaper},
       [](const auto&, const auto& shape) { return make_resnet(18, 1, shape); }},
      {{"preactresnet18", "pre-activation ResNet-18, the usual CIFAR form",
        "He et al. 2016, arXiv:1603.05027"},
       [](const auto&, const auto& shape) { return make_preact_resnet18(shape); }},
      {{kWide, "wide ResNet of depth D = 6n + 4 and W times the channels, e.g. wideresnet-34-10",
        "Zagoruyko & Komodakis 2016, arXiv:1605.07146"},
       build_wideresnet},
      vgg(11),
      vgg(13),
      vgg(16),
      vgg(19),
      {{"small_cnn", "two convolutions, two linear layers; for quick trials", ""},
       [](const auto&, const auto& shape) { return make_small_cnn(shape); }},
      {{"mlp", "two hidden linear layers, samples of any shape", ""},
       [](const auto&, const auto& shape) { return make_mlp(shape); }},
      {{"sequential", "a layer list in TOML (`layers`)", ""},
       [](const auto& options, const auto& shape) {
         return make_sequential(parse_layers(options.layers), shape);
       }},
  };
  return entries;
}

const Entry& find_entry(const std::string& model) {
  const bool wide = model.starts_with("wideresnet-");
  std::vector<std::string> names{"wideresnet-34-10", "wideresnet-28-10"};
  for (const auto& entry : table()) {
    if (entry.info.name == (wide ? kWide : model)) return entry;
    names.push_back(entry.info.name);
  }
  const auto guess = nearest(model, names);
  throw OptionError(str(
      "[model] model: unknown network '", model, "'",
      guess.empty() ? "; `namid list models` shows all" : str("; did you mean '", guess, "'?")));
}

void check_fit(const ModelOptions& options) {
  if (options.reference_extras && !options.model.starts_with("wideresnet-"))
    throw OptionError(str("[model] reference_extras: ", options.model, " has none"));
  if (!options.layers.empty() && options.model != "sequential")
    throw OptionError(
        str("[model] layers: only `sequential` takes a layer list, not ", options.model));
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

Classifier create(const ModelOptions& given, const std::vector<std::int64_t>& input_shape,
                  std::int64_t num_classes, std::uint64_t seed) {
  validate(given, "model");
  const auto& entry = find_entry(given.model);
  check_fit(given);
  auto options = given;
  if (options.model == "sequential") options.layers = layer_text(given.layers);
  ClassifierInfo info{.name = options.model,
                      .num_classes = num_classes,
                      .input_shape = input_shape,
                      .mean = options.mean,
                      .std = options.std,
                      .recipe = recipe_of(options)};
  check_info(info);
  check_images(options, input_shape);
  const SeededScope seeded(seed);
  return {entry.build(options, {input_shape, num_classes, options.width}), std::move(info)};
}

std::vector<ModelInfo> list_models() {
  std::vector<ModelInfo> infos;
  for (const auto& entry : table()) infos.push_back(entry.info);
  return infos;
}

}  // namespace namid::models
