// SPDX-License-Identifier: Apache-2.0
#include "namid/train/fused_sgd.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

namespace namid::train {
namespace {

using Weights = std::vector<at::Tensor>;

/// A matrix, images of a convolution channels-last, a vector without a gradient.
Weights weights() {
  at::manual_seed(3);
  const auto last = at::MemoryFormat::ChannelsLast;
  return {at::randn({5, 7}).requires_grad_(),
          at::randn({8, 6, 3, 3}).contiguous(last).requires_grad_(),
          at::randn({4}).requires_grad_()};
}

/// Of equal values on both sides; the convolution's are not channels-last.
void put_gradients(Weights& of, int step) {
  at::manual_seed(100 + step);
  for (std::size_t i = 0; i < 2; ++i) of[i].mutable_grad() = at::randn(of[i].sizes());
}

class FusedSgd : public ::testing::TestWithParam<torch::optim::SGDOptions> {};

TEST_P(FusedSgd, IsTheOptimisersStepUpToRounding) {
  auto ours = weights(), theirs = weights();
  torch::optim::SGD fused(ours, GetParam()), plain(theirs, GetParam());
  for (int step = 0; step < 5; ++step) {
    put_gradients(ours, step);
    put_gradients(theirs, step);
    fused_step(fused);
    plain.step();
    for (std::size_t i = 0; i < ours.size(); ++i)
      EXPECT_TRUE(at::allclose(ours[i], theirs[i], 1e-6, 1e-6)) << "step " << step << " of " << i;
  }
  EXPECT_TRUE(at::equal(ours[2], weights()[2])) << "has no gradient";
  EXPECT_EQ(fused.state().size(), plain.state().size());
}

TEST(FusedSgd, GoesOnFromStateInAnotherMemoryOrder) {
  auto ours = weights(), theirs = weights();
  const auto options = torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(0.02);
  torch::optim::SGD fused(ours, options), plain(theirs, options);
  put_gradients(ours, 0);
  put_gradients(theirs, 0);
  fused.step();  // the momentum has its gradient's memory order
  plain.step();
  put_gradients(ours, 1);
  put_gradients(theirs, 1);
  fused_step(fused);
  plain.step();
  EXPECT_TRUE(at::allclose(ours[1], theirs[1], 1e-6, 1e-6));
}

INSTANTIATE_TEST_SUITE_P(
    Options, FusedSgd,
    ::testing::Values(torch::optim::SGDOptions(0.1), torch::optim::SGDOptions(0.1).momentum(0.9),
                      torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(2e-2),
                      torch::optim::SGDOptions(0.1).momentum(0.9).dampening(0.3),
                      torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(0.1).nesterov(true)),
    [](const auto& info) { return "number" + std::to_string(info.index); });

}  // namespace
}  // namespace namid::train
