// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "certify/nets.h"
#include "namid/certify/affine_network.h"
#include "namid/core/error.h"
#include "support/errors.h"

namespace namid::certify {
namespace {

using testing::message_of;

double gap(const models::Classifier& model) {
  const auto graph = models::describe(model);
  const auto x = images_for(model, 4);
  const auto wanted = models::evaluate(graph, x);
  return ((forward(normal_form(graph), x) - wanted).abs().max() / wanted.abs().max())
      .item<double>();
}

TEST(NormalForm, ComputesTheLogitsOfEveryNetworkThatHasOne) {
  for (const auto* name : {"mlp", "resnet18", "resnet50", "preactresnet18", "wideresnet-10-2"})
    EXPECT_LE(gap(trained_like({.model = name, .width = 4}, {3, 8, 8})), 1e-12) << name;
  for (const auto& layers : {kConvNet, kPreactivated, kPooled})
    EXPECT_LE(gap(trained_like(
                  {.model = "sequential", .mean = {0.3, 0.4}, .std = {0.2, 0.3}, .layers = layers},
                  {2, 8, 8})),
              1e-12);
}

std::vector<std::string> names_of(const std::string& layers, bool normalised = false) {
  models::ModelOptions options{.model = "sequential", .layers = layers};
  if (normalised) {
    options.mean = {0.3, 0.4};
    options.std = {0.2, 0.3};
  }
  std::vector<std::string> names;
  for (const auto& layer : normal_form(models::describe(trained_like(options, {2, 8, 8}))).layers)
    names.push_back(str(layer.name, ":", layer.kind == LayerKind::scale ? "scale" : ""));
  return names;
}

TEST(NormalForm, FoldsBatchNormIntoWhatItFollows) {
  EXPECT_EQ(names_of(kConvNet), (std::vector<std::string>{"images:", "0 + 1:", "relu 1:", "3:",
                                                          "relu 2:", "6 + 7:", "relu 3:", "9:"}));
}

TEST(NormalForm, KeepsAScaleThatPaddingComesAfter) {
  // Before a padded convolution BatchNorm stays, before a linear layer it goes into it.
  EXPECT_EQ(names_of(kPreactivated),
            (std::vector<std::string>{"images:", "0:scale", "1 + 2:", "3:", "relu 1:", "6 + 7:"}));
}

TEST(NormalForm, PutsTheNormalisationIntoOneScaleBeforePadding) {
  const auto names = names_of(kConvNet, true);
  EXPECT_EQ(names[1], "affine 1 + affine 2:scale");
  EXPECT_EQ(names.size(), 9u);
}

TEST(NormalForm, NamesTheLayerThatItHasNot) {
  const auto refusal = [](const models::Classifier& model) {
    return message_of<OptionError>([&] { normal_form(models::describe(model)); });
  };
  EXPECT_NE(refusal(trained_like({.model = "small_cnn", .width = 2}, {1, 8, 8}))
                .find("max_pool 'max_pool 1': max pooling is unsupported by certificates"),
            std::string::npos);
  EXPECT_NE(refusal(trained_like({.model = "sequential",
                                  .layers = "[[layer]]\ntype='flatten'\n[[layer]]\ntype='linear'\n"
                                            "[[layer]]\ntype='relu'\n"},
                                 {2, 8, 8}))
                .find("expected a last layer that is linear, got relu 'relu 1'"),
            std::string::npos);
}

}  // namespace
}  // namespace namid::certify
