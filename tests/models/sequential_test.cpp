// SPDX-License-Identifier: Apache-2.0
#include "namid/models/sequential.h"

#include <gtest/gtest.h>

#include <fstream>

#include "namid/core/error.h"
#include "namid/models/registry.h"
#include "support/temp_folder.h"

namespace namid::models {
namespace {

constexpr auto kNet = R"(
[[layer]]
type = "conv"
channels = 4
kernel = 5
stride = 2
padding = 2
bias = false
[[layer]]
type = "batchnorm"
[[layer]]
type = "relu"
[[layer]]
type = "maxpool"
[[layer]]
type = "avgpool"
kernel = 3
stride = 2
padding = 1
[[layer]]
type = "flatten"
[[layer]]
type = "linear"
features = 7
[[layer]]
type = "batchnorm"
[[layer]]
type = "linear"
)";

Classifier build(const std::string& layers, int classes = 10) {
  return create({.model = "sequential", .layers = layers}, {3, 32, 32}, classes, 1);
}

std::string refusal_of(const std::string& layers) {
  try {
    build(layers);
  } catch (const OptionError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Sequential, InfersSizesAndNamesParametersAsPyTorch) {
  const auto state = build(kNet).state_dict();
  std::vector<std::string> names;
  for (const auto& [name, tensor] : state)
    if (name.find("running") == std::string::npos && !name.ends_with("tracked"))
      names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"0.weight", "1.weight", "1.bias", "6.weight", "6.bias",
                                             "7.weight", "7.bias", "8.weight", "8.bias"}));
  for (const auto& [name, tensor] : state) {
    // 32 → 16 (conv) → 8 (maxpool) → 4 (avgpool)
    if (name == "6.weight") {
      EXPECT_EQ(tensor.sizes(), (std::vector<std::int64_t>{7, 4 * 4 * 4}));
    }
    if (name == "8.weight") {
      EXPECT_EQ(tensor.sizes(), (std::vector<std::int64_t>{10, 7}));
    }
  }
}

TEST(Sequential, ComputesWhatItsLayersSay) {
  const auto model = build(kNet);
  model.train(false);
  const torch::NoGradGuard no_grad;
  std::map<std::string, at::Tensor> s;
  for (const auto& [name, tensor] : model.state_dict()) s[name] = tensor;
  const auto x = torch::rand({2, 3, 32, 32});
  const auto norm = [&](const at::Tensor& h, const std::string& i) {
    return torch::batch_norm(h, s[i + ".weight"], s[i + ".bias"], s[i + ".running_mean"],
                             s[i + ".running_var"], false, 0.1, 1e-5, false);
  };
  auto h = torch::relu(norm(torch::conv2d(x, s["0.weight"], {}, 2, 2), "1"));
  h = torch::avg_pool2d(torch::max_pool2d(h, 2), 3, 2, 1).flatten(1);
  h = norm(torch::linear(h, s["6.weight"], s["6.bias"]), "7");
  EXPECT_TRUE(at::allclose(model(x), torch::linear(h, s["8.weight"], s["8.bias"]), 1e-5, 1e-6));
  EXPECT_TRUE(at::equal(model.clone()(x), model(x)));
}

TEST(Sequential, ReadsAFileAndKeepsItsTextInTheRecipe) {
  const testing::TempFolder folder;
  std::ofstream(folder / "net.toml") << kNet;
  const auto model = build((folder / "net.toml").string());
  EXPECT_EQ(model.info().recipe.at("layers"), kNet);
  EXPECT_THROW(build((folder / "none.toml").string()), DataError);
}

std::string layer(const std::string& type, const std::string& rest = "") {
  return "[[layer]]\ntype = \"" + type + "\"\n" + rest + "\n";
}

TEST(Sequential, ErrorsNameLayerAndCause) {
  const auto flat = layer("flatten"), last = layer("linear");
  EXPECT_EQ(refusal_of(""), "[model] layers: `sequential` needs a TOML file with [[layer]] tables");
  EXPECT_EQ(refusal_of("[[layer]]\nchannels = 3\n"), "[model] layers: layer 1: no type");
  EXPECT_EQ(refusal_of(flat + layer("liner")),
            "[model] layers: layer 2: unknown type 'liner'; did you mean 'linear'?");
  EXPECT_EQ(refusal_of(layer("conv", "chanels = 3")),
            "[model] layers: layer 1 (conv): unknown key 'chanels'; did you mean 'channels'?");
  EXPECT_EQ(refusal_of(layer("conv")), "[model] layers: layer 1 (conv): channels is missing");
  EXPECT_EQ(refusal_of(layer("conv", "channels = 0")),
            "[model] layers: layer 1 (conv): channels: expected a whole number in [1, 65536]");
  EXPECT_EQ(refusal_of(layer("conv", "channels = 2\nbias = 1")),
            "[model] layers: layer 1 (conv): bias: expected true or false");
  EXPECT_EQ(refusal_of(layer("maxpool", "padding = 2")),
            "[model] layers: layer 1 (maxpool): padding: expected at most half of kernel 2, got 2");
  EXPECT_EQ(refusal_of(last),
            "[model] layers: layer 1 (linear): its input (3, 32, 32) should be a vector; put a "
            "flatten before it");
  EXPECT_EQ(refusal_of(flat + layer("conv", "channels = 2")),
            "[model] layers: layer 2 (conv): its input (3072) should be an image (C, H, W)");
  EXPECT_EQ(refusal_of(layer("global_avgpool") + layer("maxpool")),
            "[model] layers: layer 2 (maxpool): kernel 2 is larger than its padded input of 1");
  EXPECT_EQ(refusal_of(flat + layer("linear", "features = 4")),
            "[model] layers: layer 2 (linear): the last layer gives (4), expected (10) for that "
            "many classes");
  EXPECT_EQ(refusal_of("[[layer]]\ntype = \n").substr(0, 23), "[model] layers: line 2:");
  EXPECT_EQ(refusal_of("x = 1\n" + flat),
            "[model] layers: unknown key 'x', expected only [[layer]] tables");
}

TEST(Sequential, RefusesWidthAndTakesAnySampleShape) {
  const auto vector = create({.model = "sequential", .layers = layer("linear")}, {5}, 3);
  EXPECT_EQ(vector(torch::zeros({2, 5})).sizes(), (std::vector<std::int64_t>{2, 3}));
  EXPECT_THROW(create({.model = "sequential", .width = 4, .layers = layer("linear")}, {5}, 3),
               OptionError);
}

}  // namespace
}  // namespace namid::models
