// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/network.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "engine/models.h"

namespace namid::engine {
namespace {

void expect_same(const models::Classifier& model, const Network& network, const at::Tensor& x) {
  const auto frozen = model.frozen_eval();
  const auto along = direction(x.size(0), model.info().num_classes);
  const auto expected = pass(model, x, along);
  Trace trace;
  const auto logits = network.forward(x, &trace);
  EXPECT_LE(relative_gap(logits, expected.logits), 1e-4);
  EXPECT_TRUE(at::equal(logits.argmax(1), expected.logits.argmax(1)));
  EXPECT_TRUE(at::equal(network.forward(x), logits)) << "without a trace";
  const auto gradient = network.input_gradient(trace, along);
  EXPECT_EQ(gradient.sizes(), x.sizes());
  // Rounding turns a ReLU that is at its kink: of a row that has one, the gradient shows it.
  EXPECT_GE(cosine(gradient.view({1, -1}), expected.gradient.view({1, -1})), 0.99999);
  EXPECT_GE(cosine(gradient, expected.gradient), 0.999) << "of the worst row";
}

class CompiledBuiltIn : public ::testing::TestWithParam<NetworkCase> {};

TEST_P(CompiledBuiltIn, LogitsAndGradientsAreThoseOfTheModel) {
  const auto& wanted = GetParam();
  const std::vector<double> mean(static_cast<std::size_t>(wanted.shape[0]), 0.45);
  const std::vector<double> std(mean.size(), 0.25);
  const auto model = unlike_fresh(
      {.model = wanted.model, .width = wanted.width, .mean = mean, .std = std}, wanted.shape);
  const Network network(make_plan(models::describe(model)), wanted.kernel);
  expect_same(model, network, images(wanted.rows, wanted.shape));
}

INSTANTIATE_TEST_SUITE_P(
    Models, CompiledBuiltIn,
    ::testing::Values(NetworkCase{"mlp", 16}, NetworkCase{"small_cnn", 0},
                      NetworkCase{"small_cnn", 6, {1, 28, 28}}, NetworkCase{"vgg11", 16},
                      NetworkCase{"resnet18", 16},
                      NetworkCase{"resnet18", 16, {3, 32, 32}, Kernel::direct},
                      NetworkCase{"resnet18", 16, {3, 32, 32}, Kernel::winograd, 64},
                      NetworkCase{"resnet18", 16, {3, 27, 19}},
                      NetworkCase{"resnet18", 10, {1, 13, 21}}, NetworkCase{"resnet18-cifar", 16},
                      NetworkCase{"resnet50", 8}, NetworkCase{"preactresnet18", 16},
                      NetworkCase{"preactresnet18", 16, {3, 24, 24}, Kernel::direct, 1},
                      NetworkCase{"wideresnet-10-2", 16}),
    [](const auto& info) {
      auto name = info.param.model + "_" + std::to_string(info.index);
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

}  // namespace
}  // namespace namid::engine
