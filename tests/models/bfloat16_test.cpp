// SPDX-License-Identifier: Apache-2.0
#include "namid/models/bfloat16.h"

#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>

#include "namid/core/error.h"
#include "namid/models/registry.h"
#include "support/errors.h"

namespace namid::models {
namespace {

constexpr double kStep = 1.0 / 128;  ///< between neighbouring bfloat16 numbers, relative

Classifier network(const std::string& name) {
  ModelOptions options{.model = name, .mean = {0.4, 0.5, 0.6}, .std = {0.2, 0.3, 0.25}};
  if (name != "mlp") options.width = 4;
  const auto model = create(options, {3, 32, 32}, 10, 3);
  model.train(false);
  return model;
}

at::Tensor waves(std::int64_t count) {
  return (torch::arange(count * 3 * 32 * 32).view({count, 3, 32, 32}) * 0.37).sin() * 0.5 + 0.5;
}

at::Tensor input_gradient(const Classifier& model, const at::Tensor& images) {
  const auto x = images.detach().clone().requires_grad_(true);
  const auto loss =
      at::cross_entropy_loss(model(x), torch::arange(images.size(0)), {}, at::Reduction::Sum);
  return torch::autograd::grad({loss}, {x}).front();
}

class BFloat16 : public ::testing::TestWithParam<const char*> {};

TEST_P(BFloat16, LogitsAreThoseOfFloat32ButForTheRoundingOfBFloat16) {
  const auto model = network(GetParam());
  const auto x = waves(3);
  const at::NoGradGuard no_grad;
  const auto exact = model(x), lowered = in_bfloat16(model)(x);
  EXPECT_EQ(lowered.scalar_type(), at::kFloat);
  EXPECT_FALSE(at::equal(exact, lowered)) << "nothing was computed in bfloat16";
  EXPECT_TRUE(at::equal(lowered, lowered.to(at::kBFloat16).to(at::kFloat)))
      << "the last layer is bfloat16";
  const auto largest = exact.abs().max().item<double>();
  EXPECT_LT((lowered - exact).abs().max().item<double>(), 4 * kStep * largest);
}

TEST_P(BFloat16, ImagesGetAFloat32GradientThatPointsTheSameWay) {
  const auto model = network(GetParam());
  const auto frozen = model.frozen_eval();
  const auto exact = input_gradient(model, waves(3));
  const auto lowered = input_gradient(in_bfloat16(model), waves(3));
  EXPECT_EQ(lowered.scalar_type(), at::kFloat);
  EXPECT_FALSE(at::equal(exact, lowered));
  for (int row = 0; row < 3; ++row)
    EXPECT_GT(at::cosine_similarity(exact[row].flatten(), lowered[row].flatten(), 0).item<double>(),
              0.9)
        << row;
}

INSTANTIATE_TEST_SUITE_P(Networks, BFloat16, ::testing::Values("small_cnn", "mlp", "resnet18"));

TEST(InBFloat16, IsAHandleThatLeavesTheModelAsItIs) {
  const auto model = network("small_cnn");
  const auto lowered = in_bfloat16(model);
  const auto x = waves(2);
  const auto before = model(x).detach();
  EXPECT_EQ(lowered.info().name, model.info().name);
  (void)lowered(x);
  for (const auto& parameter : model.parameters()) {
    EXPECT_TRUE(parameter.requires_grad());
    EXPECT_EQ(parameter.scalar_type(), at::kFloat);
  }
  EXPECT_TRUE(at::equal(model(x).detach(), before));
  {
    const auto frozen = lowered.frozen_eval();
    for (const auto& parameter : model.parameters()) EXPECT_FALSE(parameter.requires_grad());
  }
  for (const auto& parameter : model.parameters()) EXPECT_TRUE(parameter.requires_grad());
  const auto old = lowered(x).detach();
  const at::NoGradGuard no_grad;
  for (const auto& parameter : model.parameters()) parameter.mul_(1.5);
  EXPECT_FALSE(at::equal(lowered(x), old)) << "it follows the model's weights";
}

TEST(InBFloat16, RestoresTheCallersAutocast) {
  const auto model = network("mlp");
  const auto lowered = in_bfloat16(model);
  const auto check = [&](bool enabled, at::ScalarType type, bool cached) {
    at::autocast::set_autocast_enabled(at::kCPU, enabled);
    at::autocast::set_autocast_dtype(at::kCPU, type);
    at::autocast::set_autocast_cache_enabled(cached);
    (void)lowered(waves(1));
    EXPECT_THROW((void)lowered(at::zeros({1, 3, 8, 8})), OptionError);
    EXPECT_EQ(at::autocast::is_autocast_enabled(at::kCPU), enabled);
    EXPECT_EQ(at::autocast::get_autocast_dtype(at::kCPU), type);
    EXPECT_EQ(at::autocast::is_autocast_cache_enabled(), cached);
  };
  check(true, at::kHalf, false);
  check(false, at::kHalf, true);
  check(false, at::kBFloat16, true);  // as it is at the start
}

TEST(InBFloat16, GivesBackAutocastWhenTheModelThrows) {
  const Classifier broken([](const at::Tensor&) -> at::Tensor { throw NumericError("broken"); },
                          {.name = "broken", .num_classes = 2, .input_shape = {2}});
  EXPECT_THROW((void)in_bfloat16(broken)(at::zeros({1, 2})), NumericError);
  EXPECT_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
}

TEST(InBFloat16, ServesCallablesAndOtherLayers) {
  const auto weight = at::tensor({1.001f, 0.3f, -0.7f, 0.4f}).view({2, 2});
  const Classifier callable([weight](const at::Tensor& x) { return at::matmul(x, weight); },
                            {.name = "callable", .num_classes = 2, .input_shape = {2}});
  const auto x = at::tensor({0.3f, 0.9f}).view({1, 2});
  const auto expected = at::matmul(x.to(at::kBFloat16), weight.to(at::kBFloat16)).to(at::kFloat);
  EXPECT_TRUE(at::equal(in_bfloat16(callable)(x), expected));
  const auto resnet = network("resnet18");
  const auto map = in_bfloat16(resnet)(waves(1), Layer::internal);
  EXPECT_EQ(map.scalar_type(), at::kFloat);
  EXPECT_EQ(map.sizes(), resnet(waves(1), Layer::internal).sizes());
  EXPECT_FALSE(in_bfloat16(callable).has_layer(Layer::internal));
}

}  // namespace
}  // namespace namid::models
