// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/training_convolutions.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/engine/convolutions.h"

namespace namid::engine {
namespace {

using torch::nn::Conv2dOptions;

/// A layer and a batch, channels-last, that Winograd's filtering takes.
class TrainingLayer : public ::testing::TestWithParam<std::int64_t> {
 protected:
  void SetUp() override {
    at::manual_seed(11);
    layer_ = models::Conv2d(Conv2dOptions(16, 32, 3).stride(GetParam()).padding(1).bias(true));
    layer_->weight.set_data(layer_->weight.detach().contiguous(at::MemoryFormat::ChannelsLast));
    x_ = at::randn({3, 16, 9, 8}).contiguous(at::MemoryFormat::ChannelsLast).requires_grad_();
  }
  at::Tensor forward() {
    const models::ConvolutionScope scope(convolutions_);
    return layer_->forward(x_);
  }
  std::vector<at::Tensor> gradients(const at::Tensor& y, bool create_graph = false) {
    const auto loss = (y * y.detach().cos()).sum();
    return torch::autograd::grad({loss}, {x_, layer_->weight, layer_->bias}, {}, true,
                                 create_graph);
  }

  TrainingConvolutions convolutions_;
  models::Conv2d layer_{nullptr};
  at::Tensor x_;
};

TEST_P(TrainingLayer, GivesValuesAndGradientsOfLibTorch) {
  const auto expected = layer_->forward(x_), y = forward();
  ASSERT_NE(y.grad_fn()->name(), expected.grad_fn()->name()) << "LibTorch computed both";
  EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_LT(error_of(y, expected.to(at::kDouble)), 1e-5);
  const auto of_y = gradients(y), of_expected = gradients(expected);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_LT(error_of(of_y[i], of_expected[i].to(at::kDouble)), 1e-5) << i;
}

TEST_P(TrainingLayer, TakesImagesInAnyMemoryOrder) {
  const auto expected = forward();
  const auto of_expected = gradients(expected);
  x_ = x_.detach().contiguous().requires_grad_();
  const auto y = forward();
  EXPECT_TRUE(at::equal(y, expected));
  const auto of_y = gradients(y);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(at::equal(of_y[i], of_expected[i])) << i;
}

TEST_P(TrainingLayer, FollowsItsWeights) {
  const auto before = forward();
  {
    const at::NoGradGuard unseen;
    layer_->weight.data().mul_(2);  // around its version counter
    layer_->bias.data().mul_(2);
  }
  EXPECT_LT(error_of(forward(), 2 * before.to(at::kDouble)), 1e-6);
}

TEST_P(TrainingLayer, HasGradientsThatCanBeDifferentiated) {
  const auto second = [&](const at::Tensor& y) {
    const auto first = gradients(y, true);
    return torch::autograd::grad({first[0].square().sum()}, {layer_->weight})[0];
  };
  const auto expected = second(layer_->forward(x_));
  EXPECT_LT(error_of(second(forward()), expected.to(at::kDouble)), 1e-5);
}

TEST_P(TrainingLayer, AChangeBetweenForwardAndBackwardIsAnError) {
  const auto y = forward();
  {
    const at::NoGradGuard guard;
    layer_->weight.add_(1);
  }
  EXPECT_THROW(gradients(y), c10::Error);
}

TEST_P(TrainingLayer, FrozenWeightsGetNoGradient) {
  layer_->weight.set_requires_grad(false);
  layer_->bias.set_requires_grad(false);
  const auto by_x = torch::autograd::grad({forward().sum()}, {x_})[0];
  EXPECT_LT(
      error_of(by_x, torch::autograd::grad({layer_->forward(x_).sum()}, {x_})[0].to(at::kDouble)),
      1e-5);
  x_.set_requires_grad(false);
  EXPECT_FALSE(forward().requires_grad());
}

TEST_P(TrainingLayer, LeavesTheRestToLibTorch) {
  const auto usual = layer_->torch::nn::Conv2dImpl::forward(x_).grad_fn()->name();
  EXPECT_NE(forward().grad_fn()->name(), usual);
  layer_ = models::Conv2d(Conv2dOptions(16, 32, 3).stride(GetParam()).padding(0));
  EXPECT_EQ(forward().grad_fn()->name(), usual);
}

INSTANTIATE_TEST_SUITE_P(Strides, TrainingLayer, ::testing::Values(1, 2));

}  // namespace
}  // namespace namid::engine
