// SPDX-License-Identifier: Apache-2.0
#include "namid/train/optimizer_state.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "train/workbench.h"

namespace namid::train {
namespace {

using testing::message_of;

constexpr std::array<double, 4> kGradients{0.5, -1.25, 2.0, 0.125};

at::Tensor one_weight() {
  return at::full({1}, 2.0, at::kDouble).set_requires_grad(true);
}

void step(torch::optim::Optimizer& optimizer, at::Tensor weight, double gradient) {
  weight.mutable_grad() = at::full({1}, gradient, at::kDouble);
  optimizer.step();
}

torch::optim::SGD sgd(const at::Tensor& weight) {
  return torch::optim::SGD(std::vector{weight},
                           torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(0.02));
}

torch::optim::Adam adam(const at::Tensor& weight) {
  return torch::optim::Adam(std::vector{weight}, torch::optim::AdamOptions(0.1));
}

TEST(Optimizers, SgdIsMomentumOverDecayedGradients) {
  auto weight = one_weight();
  auto optimizer = sgd(weight);
  double w = 2, v = 0;
  for (const double g : kGradients) {
    step(optimizer, weight, g);
    v = 0.9 * v + (g + 0.02 * w);
    w -= 0.1 * v;
    EXPECT_NEAR(weight.item<double>(), w, 1e-14);
  }
}

TEST(Optimizers, AdamIsBiasCorrectedWithEpsilonOutsideTheRoot) {
  auto weight = one_weight();
  auto optimizer = adam(weight);
  double w = 2, m = 0, s = 0;
  for (std::size_t i = 0; i < kGradients.size(); ++i) {
    const double g = kGradients[i], t = static_cast<double>(i + 1);
    step(optimizer, weight, g);
    m = 0.9 * m + 0.1 * g;
    s = 0.999 * s + 0.001 * g * g;
    w -= 0.1 * (m / (1 - std::pow(0.9, t))) / (std::sqrt(s / (1 - std::pow(0.999, t))) + 1e-8);
    EXPECT_NEAR(weight.item<double>(), w, 1e-12);
  }
}

/// Two steps, a fresh optimiser with the state of the first, two more steps, against four.
template <class Make>
void expect_restored_state_goes_on_equally(Make make) {
  auto whole = one_weight(), parted = one_weight();
  auto uninterrupted = make(whole);
  for (const double g : kGradients) step(uninterrupted, whole, g);

  TensorMap state;
  {
    auto first = make(parted);
    step(first, parted, kGradients[0]);
    step(first, parted, kGradients[1]);
    for (const auto& [name, tensor] : optimizer_state(first, {{"w", parted}}))
      state.emplace_back(name, tensor.clone());
  }
  auto second = make(parted);
  load_optimizer_state(second, {{"w", parted}}, state);
  step(second, parted, kGradients[2]);
  step(second, parted, kGradients[3]);
  EXPECT_EQ(parted.template item<double>(), whole.template item<double>());
}

TEST(OptimizerState, RestoredSgdGoesOnEqually) {
  expect_restored_state_goes_on_equally(sgd);
}

TEST(OptimizerState, RestoredAdamGoesOnEqually) {
  expect_restored_state_goes_on_equally(adam);
}

TEST(OptimizerState, IsEmptyBeforeTheFirstStep) {
  const auto weight = one_weight();
  EXPECT_TRUE(optimizer_state(sgd(weight), {{"w", weight}}).empty());
  EXPECT_TRUE(optimizer_state(adam(weight), {{"w", weight}}).empty());
}

TEST(OptimizerState, RefusesWhatDoesNotFit) {
  const auto weight = one_weight();
  const TensorMap parameters{{"w", weight}};
  auto momentum = sgd(weight);
  const auto load_sgd = [&](const TensorMap& state) {
    return message_of<DataError>([&] { load_optimizer_state(momentum, parameters, state); });
  };
  EXPECT_NE(load_sgd({{"w.momentum_buffer", at::ones({2}, at::kDouble)}}).find("another shape"),
            std::string::npos);
  EXPECT_NE(load_sgd({{"v.momentum_buffer", at::ones({1}, at::kDouble)}}).find("no weight"),
            std::string::npos);
  auto adaptive = adam(weight);
  const auto load_adam = [&](const TensorMap& state) {
    return message_of<DataError>([&] { load_optimizer_state(adaptive, parameters, state); });
  };
  EXPECT_NE(load_adam({{"w.step", at::ones({1}, at::kLong)}}).find("w.exp_avg is missing"),
            std::string::npos);
  EXPECT_NE(load_adam({{"w.step", at::ones({1})}}).find("whole number"), std::string::npos);
}

TEST(OptimizerState, LearningRateIsSetForTheNextStep) {
  auto weight = one_weight();
  torch::optim::SGD plain(std::vector{weight}, torch::optim::SGDOptions(1));
  set_learning_rate(plain, 0.25);
  step(plain, weight, 4);
  EXPECT_EQ(weight.item<double>(), 1);
}

}  // namespace
}  // namespace namid::train
