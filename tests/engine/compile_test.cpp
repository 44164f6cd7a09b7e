// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/compile.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "engine/models.h"
#include "namid/core/error.h"

namespace namid::engine {
namespace {

using models::Classifier;
using models::Layer;

Classifier network(const std::string& name = "resnet18") {
  return unlike_fresh(
      {.model = name, .width = 16, .mean = {0.4, 0.5, 0.6}, .std = {0.2, 0.25, 0.3}}, {3, 16, 16});
}

at::Tensor batch(std::int64_t rows = 4, double phase = 0) {
  return images(rows, {3, 16, 16}, phase);
}

void expect_same_pass(const Classifier& a, const Classifier& b, const at::Tensor& x) {
  const auto frozen = b.frozen_eval();
  const auto along = direction(x.size(0), 10);
  const auto ours = pass(a, x, along), theirs = pass(b, x, along);
  EXPECT_LE(relative_gap(ours.logits, theirs.logits), 1e-4);
  EXPECT_GE(cosine(ours.gradient.reshape({1, -1}), theirs.gradient.reshape({1, -1})), 0.99999);
}

/// Whether the engine answered: its logits differ from the model's in their last bits.
bool by_engine(const Classifier& compiled, const Classifier& model, const at::Tensor& x) {
  return !at::equal(compiled(x), model(x));
}

TEST(Compile, AnswersWhatAttacksAskFor) {
  const auto model = network();
  const auto done = try_compile(model);
  EXPECT_EQ(done.kernels, "winograd 16, im2col 4, direct 0");
  EXPECT_EQ(done.model.info().mean, model.info().mean);
  expect_same_pass(done.model, model, batch());
  const auto frozen = model.frozen_eval();
  EXPECT_TRUE(by_engine(done.model, model, batch()));
  EXPECT_FALSE(done.model(batch()).requires_grad());
}

TEST(Compile, ImagesInAnyMemoryOrder) {
  const auto model = network(), compiled = compile(model);
  const auto frozen = model.frozen_eval();
  const auto x = batch();
  const auto other = x.contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_TRUE(at::equal(compiled(other), compiled(x)));
  EXPECT_TRUE(at::equal(compiled(batch(8).slice(0, 0, 8, 2)),
                        compiled(batch(8).slice(0, 0, 8, 2).clone())));
}

TEST(Compile, ImagesOfOnePixelAreVectors) {
  const auto model = unlike_fresh({.model = "mlp", .width = 8, .mean = {0.5}, .std = {0.2}}, {1});
  const auto wide = unlike_fresh({.model = "mlp", .width = 8}, {5});
  for (const auto& each : {model, wide}) {
    const auto compiled = compile(each);
    expect_same_pass(compiled, each, images(3, each.info().input_shape));
  }
}

TEST(Compile, FollowsTheModelsWeights) {
  const auto model = network(), compiled = compile(model);
  expect_same_pass(compiled, model, batch());
  const at::NoGradGuard no_grad;
  for (auto& parameter : model.parameters()) parameter.mul_(1.1);
  expect_same_pass(compiled, model, batch());
  for (auto& [name, tensor] : model.state_dict())
    if (name.ends_with("running_mean")) tensor.variable_data().add_(0.02);  // no version moves
  expect_same_pass(compiled, model, batch());
  model.use_channels_last(true);
  expect_same_pass(compiled, model, batch());
  model.load_state_dict(network().state_dict());
  expect_same_pass(compiled, network(), batch());
}

TEST(Compile, FollowsWeightsThatTheGraphHoldsInAnotherForm) {
  const auto model = network("small_cnn"), compiled = compile(model);
  const at::NoGradGuard no_grad;
  model.train();
  model(batch());  // running statistics move
  model.train(false);
  expect_same_pass(compiled, model, batch());
}

TEST(Compile, GoesBackSeveralTimesThroughOneForward) {
  const auto model = network(), compiled = compile(model);
  const auto frozen = model.frozen_eval();
  const auto x = batch().requires_grad_(true), along = direction(4, 10);
  const auto logits = compiled(x), other = compiled(batch(4, 0.2).requires_grad_(true));
  const auto gradient = [&](const at::Tensor& by, bool keep) {
    return torch::autograd::grad({logits}, {x}, {by}, keep).front();
  };
  const auto first = gradient(along, true), second = gradient(2 * along, true);
  EXPECT_LE(relative_gap(second, 2 * first), 1e-6);
  EXPECT_TRUE(at::equal(gradient(along, false), first));
  EXPECT_THROW(gradient(along, false), c10::Error);
  EXPECT_TRUE(other.requires_grad());
}

TEST(Compile, AForwardKeepsTheWeightsItHad) {
  const auto model = network(), compiled = compile(model);
  const auto frozen = model.frozen_eval();
  const auto x = batch().requires_grad_(true), along = direction(4, 10);
  const auto logits = compiled(x);
  const auto expected = pass(compiled, x, along).gradient;
  {
    const at::NoGradGuard no_grad;
    for (auto& parameter : model.parameters()) parameter.mul_(1.1);
  }
  compiled(x);
  EXPECT_TRUE(at::equal(torch::autograd::grad({logits}, {x}, {along}).front(), expected));
}

TEST(Compile, IsPartOfALargerGraph) {
  const auto model = network(), compiled = compile(model);
  const auto frozen = model.frozen_eval();
  const auto gradient = [&](const Classifier& by) {
    const auto leaf = batch().requires_grad_(true);
    const auto logits = by((leaf * 0.5 + 0.25).clamp(0.3, 0.7));
    return torch::autograd::grad({at::cross_entropy_loss(logits, at::zeros(4, at::kLong))}, {leaf})
        .front();
  };
  EXPECT_GE(cosine(gradient(compiled), gradient(model)), 0.9999);
}

TEST(Compile, TheModelItselfAnswersEverythingElse) {
  const auto model = network(), compiled = compile(model);
  const auto x = batch();
  const auto same = [&](const at::Tensor& a, const at::Tensor& b) {
    EXPECT_LE(relative_gap(a, b), 1e-4);
  };
  model.train();
  EXPECT_TRUE(compiled.is_training());
  const auto copy = model.clone();
  same(compiled(x), copy(x));  // statistics of the batch
  model.train(false);
  const auto logits = compiled(x);  // parameters need gradients
  EXPECT_TRUE(logits.requires_grad());
  same(logits, model(x));
  same(compiled(x, Layer::internal), model(x, Layer::internal));
  same(compiled.at_any_size(images(2, {3, 20, 20})), model.at_any_size(images(2, {3, 20, 20})));
  const auto frozen = model.frozen_eval();
  EXPECT_EQ(compiled(x.slice(0, 0, 0)).size(0), 0);
  EXPECT_THROW(compiled(images(2, {3, 20, 20})), OptionError);
}

TEST(Compile, TrainsLikeTheModel) {
  for (const auto* name : {"resnet18", "preactresnet18", "wideresnet-10-2", "vgg11", "small_cnn"}) {
    const auto model = network(name), compiled = compile(model), copy = model.clone();
    const auto step = [&](const Classifier& by, const Classifier& of) {
      of.train();
      const auto loss = at::cross_entropy_loss(by(batch(8)), at::arange(8, at::kLong));
      return torch::autograd::grad({loss}, of.parameters());
    };
    const auto ours = step(compiled, model), theirs = step(copy, copy);
    // ReLUs within rounding of their kink may turn, as in attacks.
    const auto flat = [](const std::vector<at::Tensor>& gradients) {
      std::vector<at::Tensor> rows;
      for (const auto& gradient : gradients) rows.push_back(gradient.reshape({1, -1}));
      return at::cat(rows, 1);
    };
    EXPECT_GE(cosine(flat(ours), flat(theirs)), 0.9999) << name;
    const auto a = model.state_dict(), b = copy.state_dict();
    for (std::size_t i = 0; i < a.size(); ++i) {  // running statistics
      if (!a[i].second.is_floating_point()) continue;
      EXPECT_LE(relative_gap(a[i].second, b[i].second), 1e-4) << name << a[i].first;
    }
  }
}

TEST(Compile, DerivativesOfGradientsAreTheModels) {
  const auto model = network(), compiled = compile(model);
  const auto frozen = model.frozen_eval();
  const auto second = [&](const Classifier& by) {
    const auto x = batch().requires_grad_(true);
    const auto loss = at::cross_entropy_loss(by(x), at::zeros(4, at::kLong));
    const auto first = torch::autograd::grad({loss}, {x}, {}, true, true).front();
    return torch::autograd::grad({first.square().sum()}, {x}).front();
  };
  EXPECT_GE(cosine(second(compiled), second(model)), 0.999);
}

TEST(Compile, ACloneHasWeightsOfItsOwn) {
  const auto model = network(), copy = compile(model).clone();
  const auto frozen = copy.frozen_eval();
  const auto before = copy(batch());
  const at::NoGradGuard no_grad;
  for (auto& parameter : model.parameters()) parameter.zero_();
  EXPECT_TRUE(at::equal(copy(batch()), before));
}

TEST(Compile, WhatCannotBeDescribedIsReturnedAsItIs) {
  const Classifier callable([](const at::Tensor& x) { return x.flatten(1).slice(1, 0, 3); },
                            {.name = "mine", .num_classes = 3, .input_shape = {5}});
  const auto done = try_compile(callable);
  EXPECT_EQ(done.kernels, "");
  EXPECT_NE(done.refusal.find("callable"), std::string::npos);
  EXPECT_TRUE(at::equal(done.model(at::ones({2, 5})), at::ones({2, 3})));
}

TEST(Compile, SamplesDependOnTheirSlotAndNeighboursNowhere) {
  const auto model = network(), compiled = compile(model);
  const auto frozen = model.frozen_eval();
  const auto x = images(8, {3, 16, 16}), along = direction(1, 10).repeat({8, 1});
  const auto all = pass(compiled, x, along), turned = pass(compiled, x.flip({0}), along);
  EXPECT_TRUE(at::equal(turned.logits.flip({0}), all.logits));
  EXPECT_TRUE(at::equal(turned.gradient.flip({0}), all.gradient));
}

TEST(Compile, ThreadsChangeRoundingAlone) {
  const auto model = network(), compiled = compile(model);
  const auto frozen = model.frozen_eval();
  const auto threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = pass(compiled, batch(), direction(4, 10));
  at::set_num_threads(2);
  const auto two = pass(compiled, batch(), direction(4, 10));
  at::set_num_threads(threads);
  EXPECT_LE(relative_gap(two.logits, one.logits), 1e-5);
  EXPECT_GE(cosine(two.gradient, one.gradient), 0.9999);
}

}  // namespace
}  // namespace namid::engine
