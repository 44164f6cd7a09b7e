// SPDX-License-Identifier: Apache-2.0
#include "namid/models/graph.h"

#include <gtest/gtest.h>

#include <set>

#include "models/formula.h"
#include "namid/core/error.h"
#include "namid/models/registry.h"
#include "support/errors.h"

namespace namid::models {
namespace {

/// Weights and statistics that are those of no fresh network: what the graph leaves out shows.
Classifier unlike_fresh(const ModelOptions& options,
                        const std::vector<std::int64_t>& shape = {3, 16, 16}) {
  const auto model = create(options, shape, 7, 5);
  const torch::NoGradGuard no_grad;
  int j = 0;
  for (auto [name, tensor] : model.state_dict()) {
    if (!tensor.is_floating_point() || tensor.dim() != 1) continue;
    const auto wave = (at::arange(tensor.numel()) * 0.7 + j++).sin().to(tensor.scalar_type());
    tensor.copy_(name.ends_with("weight") || name.ends_with("var") ? 1 + 0.3 * wave : 0.2 * wave);
  }
  return model;
}

double relative_gap(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

/// The model's own logits of batches of several sizes; returns the graph.
Graph expect_described(const Classifier& model) {
  const auto graph = describe(model);
  const auto frozen = model.frozen_eval();
  for (const int batch : {1, 5}) {
    auto shape = model.info().input_shape;
    shape.insert(shape.begin(), batch);
    const auto x = golden_wave(shape).to(at::kFloat);
    EXPECT_LE(relative_gap(evaluate(graph, x), model(x)), 1e-5) << "batch " << batch;
  }
  return graph;
}

class BuiltIn : public ::testing::TestWithParam<std::string> {};

TEST_P(BuiltIn, GraphComputesTheLogitsOfTheModel) {
  const auto width = GetParam().starts_with("wide") ? 4 : 8;
  const auto model = unlike_fresh({.model = GetParam(), .width = width});
  model.train(true);
  const auto graph = expect_described(model);
  EXPECT_TRUE(model.is_training());
  EXPECT_EQ(graph.logits().shape, (std::vector<std::int64_t>{7}));
  std::size_t weights = 0;
  for (const auto& node : graph.nodes)
    for (const auto& tensor : {node.weight, node.bias, node.mean, node.variance})
      if (tensor.defined()) weights += static_cast<std::size_t>(tensor.numel());
  std::size_t expected = 0;
  for (const auto& [name, tensor] : model.state_dict())
    if (!name.ends_with("tracked")) expected += static_cast<std::size_t>(tensor.numel());
  EXPECT_EQ(weights, expected) << "every weight once";
}

INSTANTIATE_TEST_SUITE_P(Models, BuiltIn,
                         ::testing::Values("mlp", "small_cnn", "vgg11", "vgg16", "resnet18",
                                           "resnet18-cifar", "resnet50", "preactresnet18",
                                           "wideresnet-10-2"),
                         [](const auto& info) {
                           auto name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

constexpr auto kLayers = R"(
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
kernel = 2
stride = 1
padding = 1
[[layer]]
type = "relu"
[[layer]]
type = "flatten"
[[layer]]
type = "linear"
features = 6
[[layer]]
type = "batchnorm"
[[layer]]
type = "linear"
)";

TEST(Graph, LayersAreNamedAsInTheStateDict) {
  const auto graph = expect_described(unlike_fresh({.model = "sequential", .layers = kLayers}));
  std::vector<std::string> told;
  for (const auto& node : graph.nodes) told.push_back(describe_node(node));
  EXPECT_EQ(told, (std::vector<std::string>{
                      "input 'images'", "conv '0'", "batch_norm '1'", "relu 'relu 1'",
                      "max_pool 'max_pool 1'", "avg_pool 'avg_pool 1'", "relu 'relu 2'",
                      "flatten 'flatten 1'", "linear '7'", "batch_norm '8'", "linear '9'"}));
  EXPECT_EQ(graph.nodes[5].shape, (std::vector<std::int64_t>{4, 5, 5}));
  EXPECT_TRUE(graph.nodes[5].window.count_include_pad);
}

TEST(Graph, NormalisationIsInIt) {
  const auto model = unlike_fresh(
      {.model = "small_cnn", .width = 4, .mean = {0.4, 0.5, 0.6}, .std = {0.2, 0.25, 0.3}});
  model.use_channels_last(true);
  const auto graph = expect_described(model);
  EXPECT_EQ(graph.nodes[1].op, GraphOp::affine);
  EXPECT_EQ(graph.nodes[2].op, GraphOp::affine);
}

TEST(Graph, KeepsItsWeightsWhenTheModelGoesOnTraining) {
  const auto model = unlike_fresh({.model = "mlp", .width = 8});
  const auto graph = describe(model);
  const auto x = at::full({2, 3, 16, 16}, 0.3);
  const auto before = evaluate(graph, x);
  for (const auto& parameter : model.parameters()) parameter.detach().zero_();
  EXPECT_TRUE(at::equal(evaluate(graph, x), before));
}

TEST(Graph, RefusesACallable) {
  const Classifier callable([](const at::Tensor& x) { return x.flatten(1).slice(1, 0, 3); },
                            {.name = "mine", .num_classes = 3, .input_shape = {5}});
  EXPECT_EQ(
      testing::message_of<OptionError>([&] { describe(callable); }),
      "[model] mine: the layers of a callable are not known; expected a built-in network or a "
      ".pt2 program");
}

}  // namespace
}  // namespace namid::models
