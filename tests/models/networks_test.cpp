// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/network.h"
#include "namid/models/registry.h"

namespace namid::models {
namespace {

bool is_buffer(const std::string& name) {
  return name.ends_with("running_mean") || name.ends_with("running_var") ||
         name.ends_with("num_batches_tracked");
}

struct Count {
  std::string model;
  std::int64_t channels, classes, parameters, buffers;
  std::size_t entries;
  bool reference_extras = false;
};

class Counts : public ::testing::TestWithParam<Count> {};

TEST_P(Counts, AreThoseOfTheReference) {
  const auto& expected = GetParam();
  const auto model =
      create({.model = expected.model, .reference_extras = expected.reference_extras},
             {expected.channels, 32, 32}, expected.classes);
  std::int64_t parameters = 0, buffers = 0;
  for (const auto& p : model.parameters()) parameters += p.numel();
  const auto state = model.state_dict();
  for (const auto& [name, tensor] : state)
    if (is_buffer(name)) buffers += tensor.numel();
  EXPECT_EQ(parameters, expected.parameters);
  EXPECT_EQ(buffers, expected.buffers);
  EXPECT_EQ(state.size(), expected.entries);
}

INSTANTIATE_TEST_SUITE_P(
    Models, Counts,
    ::testing::Values(Count{"resnet18", 3, 10, 11173962, 9620, 122},
                      Count{"resnet18", 3, 200, 11271432, 9620, 122},
                      Count{"resnet18", 1, 10, 11172810, 9620, 122},
                      Count{"resnet18-cifar", 3, 10, 11173962, 9620, 122},
                      Count{"resnet34", 3, 10, 21282122, 17060, 218},
                      Count{"resnet50", 3, 10, 23520842, 53173, 320},
                      Count{"resnet101", 3, 10, 42512970, 105448, 626},
                      Count{"resnet152", 3, 10, 58156618, 151579, 932},
                      Count{"preactresnet18", 3, 10, 11172170, 7825, 107},
                      Count{"wideresnet-34-10", 3, 10, 48262586, 25385, 252, true},
                      Count{"wideresnet-34-10", 3, 200, 48384376, 25385, 252, true},
                      Count{"wideresnet-34-10", 3, 10, 46160474, 22463, 191},
                      Count{"vgg11", 3, 10, 9231114, 5512, 58},
                      Count{"vgg13", 3, 10, 9416010, 5898, 72},
                      Count{"vgg16", 3, 10, 14728266, 8461, 93},
                      Count{"vgg19", 3, 10, 20040522, 11024, 114}),
    [](const auto& info) {
      auto name = str(info.param.model, "_", info.param.channels, "_", info.param.classes,
                      info.param.reference_extras ? "_extras" : "");
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

std::vector<std::string> keys(const Classifier& model) {
  std::vector<std::string> out;
  for (const auto& [name, tensor] : model.state_dict()) out.push_back(name);
  return out;
}

void add_norm(std::vector<std::string>& out, const std::string& name) {
  for (const auto* part : {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"})
    out.push_back(str(name, ".", part));
}

TEST(StateDict, KeysOfResNet18AreThoseOfPyTorch) {
  std::vector<std::string> expected{"conv1.weight"};
  add_norm(expected, "bn1");
  for (int stage = 1; stage <= 4; ++stage)
    for (int block = 0; block < 2; ++block) {
      const auto prefix = str("layer", stage, ".", block, ".");
      for (int i = 1; i <= 2; ++i) {
        expected.push_back(str(prefix, "conv", i, ".weight"));
        add_norm(expected, str(prefix, "bn", i));
      }
      if (stage > 1 && block == 0) {
        expected.push_back(prefix + "shortcut.0.weight");
        add_norm(expected, prefix + "shortcut.1");
      }
    }
  expected.insert(expected.end(), {"linear.weight", "linear.bias"});
  EXPECT_EQ(keys(create({.model = "resnet18", .width = 4}, {3, 32, 32}, 10)), expected);
}

TEST(StateDict, KeysOfVgg19CountEveryLayer) {
  std::vector<std::string> expected;
  for (const int i : {0, 3, 7, 10, 14, 17, 20, 23, 27, 30, 33, 36, 40, 43, 46, 49}) {
    expected.push_back(str("features.", i, ".weight"));
    expected.push_back(str("features.", i, ".bias"));
    add_norm(expected, str("features.", i + 1));
  }
  expected.insert(expected.end(), {"linear.weight", "linear.bias"});
  EXPECT_EQ(keys(create({.model = "vgg19", .width = 2}, {3, 32, 32}, 10)), expected);
}

std::vector<std::string> wideresnet_keys(const std::vector<std::string>& groups) {
  std::vector<std::string> out{"conv1.weight"};
  for (const auto& group : groups)
    for (int block = 0; block < 2; ++block) {
      const auto prefix = str(group, ".layer.", block, ".");
      for (int i = 1; i <= 2; ++i) {
        add_norm(out, str(prefix, "bn", i));
        out.push_back(str(prefix, "conv", i, ".weight"));
      }
      if (block == 0) out.push_back(prefix + "convShortcut.weight");
    }
  add_norm(out, "bn1");
  out.insert(out.end(), {"fc.weight", "fc.bias"});
  return out;
}

TEST(StateDict, KeysOfWideResNetFollowTheReferencesOrder) {
  ModelOptions options{.model = "wideresnet-16-2", .width = 4};
  EXPECT_EQ(keys(create(options, {3, 32, 32}, 10)),
            wideresnet_keys({"block1", "block2", "block3"}));
  options.reference_extras = true;
  EXPECT_EQ(keys(create(options, {3, 32, 32}, 10)),
            wideresnet_keys({"block1", "sub_block1", "block2", "block3"}));
}

constexpr auto kListedLayers = R"(
[[layer]]
type = "conv"
channels = 6
stride = 2
[[layer]]
type = "batchnorm"
[[layer]]
type = "relu"
[[layer]]
type = "global_avgpool"
[[layer]]
type = "flatten"
[[layer]]
type = "linear"
)";

class AnyShape : public ::testing::TestWithParam<std::string> {};

TEST_P(AnyShape, TrainsOnItAndTakesOneSampleInEvalMode) {
  const bool sequential = GetParam() == "sequential";
  for (const std::int64_t size : {28, 32, 37, 64})
    for (const std::int64_t channels : {1, 3})
      for (const std::int64_t classes : {2, 10, 200}) {
        SCOPED_TRACE(str(channels, "x", size, "x", size, ", ", classes, " classes"));
        const auto model = create({.model = GetParam(),
                                   .width = sequential ? 0 : 2,
                                   .layers = sequential ? kListedLayers : ""},
                                  {channels, size, size}, classes);
        EXPECT_TRUE(model.is_training());
        const auto logits = model(torch::rand({2, channels, size, size}));
        ASSERT_EQ(logits.sizes(), (std::vector<std::int64_t>{2, classes}));
        logits.square().sum().backward();
        for (const auto& p : model.parameters())
          ASSERT_TRUE(p.grad().defined() && p.grad().isfinite().all().item<bool>());
        model.train(false);
        const auto one = model.clone()(torch::zeros({1, channels, size, size}));
        ASSERT_EQ(one.sizes(), (std::vector<std::int64_t>{1, classes}));
        ASSERT_TRUE(one.isfinite().all().item<bool>());
      }
}

INSTANTIATE_TEST_SUITE_P(Families, AnyShape,
                         ::testing::Values("resnet18", "resnet50", "resnet18-cifar",
                                           "preactresnet18", "wideresnet-10-1", "wideresnet-16-2",
                                           "vgg11", "vgg19", "small_cnn", "mlp", "sequential"),
                         [](const auto& info) {
                           auto name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Layers, AreTheStagesBeforeTheLogits) {
  const std::vector<std::tuple<std::string, std::int64_t, std::int64_t, std::int64_t>> cases{
      {"resnet18", 16, 8, 4},
      {"resnet18-cifar", 16, 8, 4},
      {"preactresnet18", 16, 8, 4},
      {"wideresnet-10-2", 16, 16, 8}};
  for (const auto& [name, channels, side, last_side] : cases) {
    SCOPED_TRACE(name);
    const auto model = create({.model = name, .width = 4}, {3, 32, 32}, 10);
    EXPECT_TRUE(model.has_layer(Layer::internal) && model.has_layer(Layer::internal_last));
    const auto x = torch::rand({2, 3, 32, 32});
    EXPECT_EQ(model(x, Layer::internal).sizes(),
              (std::vector<std::int64_t>{2, channels, side, side}));
    EXPECT_EQ(model(x, Layer::internal_last).sizes(),
              (std::vector<std::int64_t>{2, 2 * channels, last_side, last_side}));
  }
  EXPECT_FALSE(create({.model = "vgg11", .width = 2}, {3, 32, 32}, 10).has_layer(Layer::internal));
}

TEST(WideResNet, StartsAsItsPaperSays) {
  const auto model = create({.model = "wideresnet-10-4"}, {3, 32, 32}, 10, 3);
  for (const auto& [name, tensor] : model.state_dict()) {
    if (name == "block3.layer.0.conv2.weight") {
      const double expected = std::sqrt(2.0 / (9 * 256));
      EXPECT_NEAR(tensor.std().item<double>() / expected, 1, 0.01);
      EXPECT_NEAR(tensor.mean().item<double>() / expected, 0, 0.01);
    }
    if (name == "fc.bias") {
      EXPECT_EQ(tensor.abs().sum().item<float>(), 0);
    }
  }
}

TEST(ResNet, StartsWithPyTorchDefaults) {
  const auto state = create({.model = "resnet18"}, {3, 32, 32}, 10, 3).state_dict();
  const auto bound = 1 / std::sqrt(27.0);  // U(±1/√fan_in)
  EXPECT_LE(state[0].second.abs().max().item<double>(), bound);
  EXPECT_GT(state[0].second.abs().max().item<double>(), 0.99 * bound);
}

std::string refusal_of(const ModelOptions& options) {
  try {
    create(options, {3, 32, 32}, 10);
  } catch (const OptionError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Registry, ListsEveryNameItBuilds) {
  const auto infos = list_models();
  EXPECT_EQ(infos.size(), 15u);
  for (const auto& info : infos) EXPECT_FALSE(info.description.empty());
  EXPECT_EQ(infos.front().name, "resnet18");
}

TEST(Registry, WrongNamesAndOptionsSayHowToMend) {
  EXPECT_EQ(refusal_of({.model = "resnet-18"}),
            "[model] model: unknown network 'resnet-18'; did you mean 'resnet18'?");
  EXPECT_EQ(refusal_of({.model = "wideresnet-30-10"}),
            "[model] wideresnet: expected a depth of 6n + 4, at least 10, got 30");
  EXPECT_EQ(refusal_of({.model = "wideresnet-34"}),
            "[model] model: expected wideresnet-DEPTH-WIDEN such as wideresnet-34-10, got "
            "'wideresnet-34'");
  EXPECT_EQ(refusal_of({.model = "wideresnet-34-10x"}).substr(0, 32),
            "[model] model: expected wideresn");
  EXPECT_EQ(refusal_of({.model = "wideresnet-16-0"}),
            "[model] wideresnet: expected widen ≥ 1, got 0");
  EXPECT_EQ(refusal_of({.model = "vgg11", .reference_extras = true}),
            "[model] reference_extras: vgg11 has none");
  EXPECT_EQ(refusal_of({.model = "vgg11", .layers = "a.toml"}),
            "[model] layers: only `sequential` takes a layer list, not vgg11");
}

}  // namespace
}  // namespace namid::models
