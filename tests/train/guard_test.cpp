// SPDX-License-Identifier: Apache-2.0
#include "namid/train/guard.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "train/workbench.h"

namespace namid::train {
namespace {

using testing::message_of;
using ::testing::Test;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

struct Guard : Test {
  Guard() {
    for (auto& [name, parameter] : parameters) parameter.set_requires_grad(true);
    parameters[0].second.mutable_grad() = at::full({2}, 3.0F);
    parameters[1].second.mutable_grad() = at::full({2, 2}, std::sqrt(7.0F / 4));
  }
  TensorMap parameters{{"a", at::ones({2})}, {"b", at::ones({2, 2})}, {"unused", at::ones({1})}};
  TensorMap losses{{"loss", at::scalar_tensor(1.5)}};
  std::string message() {
    return message_of<NumericError>([&] { check_and_clip(losses, parameters, 0, {17, 3}); });
  }
};

TEST_F(Guard, ReturnsTheJointNormAndLeavesGradientsWithoutClip) {
  EXPECT_NEAR(check_and_clip(losses, parameters, 0, {1, 1}), 5, 1e-6);
  EXPECT_NEAR(check_and_clip(losses, parameters, 6, {1, 1}), 5, 1e-6);
  EXPECT_TRUE(at::equal(parameters[0].second.grad(), at::full({2}, 3.0F)));
}

TEST_F(Guard, ClipsToTheJointNorm) {
  EXPECT_NEAR(check_and_clip(losses, parameters, 2, {1, 1}), 5, 1e-6);
  EXPECT_NEAR(parameters[0].second.grad()[0].item<double>(), 3 * 2.0 / 5, 1e-5);
  EXPECT_NEAR(check_and_clip(losses, parameters, 0, {1, 1}), 2, 1e-5);
}

TEST_F(Guard, NamesStepEpochAndLoss) {
  losses.emplace_back("adversarial loss", at::scalar_tensor(kNan));
  EXPECT_EQ(message(),
            "step 17 (epoch 3): adversarial loss: expected a finite number, got nan; all weights "
            "are still finite");
}

TEST_F(Guard, NamesTheGradientAndTheWeight) {
  parameters[1].second.mutable_grad()[0][1] = kInf;
  EXPECT_EQ(message(),
            "step 17 (epoch 3): the gradient of b is not finite; all weights are still finite");
  const at::NoGradGuard no_grad;
  parameters[0].second[1] = -kInf;
  EXPECT_NE(message().find("weight a is not finite either"), std::string::npos);
}

TEST_F(Guard, SaysWhenOnlyTheNormOverflows) {
  parameters[0].second.mutable_grad().fill_(3e38F);
  EXPECT_NE(message().find("the norm of the gradients overflows"), std::string::npos);
}

TEST_F(Guard, ALossWithoutParametersHasNormZero) {
  EXPECT_EQ(check_and_clip(losses, {{"unused", at::ones({1})}}, 5, {1, 1}), 0);
}

TEST_F(Guard, CheckFiniteNamesTheFirstTensorAndPassesIntegers) {
  TensorMap tensors{{"count", at::ones({1}, at::kLong)}, {"weight", at::ones({3})}};
  EXPECT_NO_THROW(check_finite(tensors, "weights:", {1, 1}));
  tensors[1].second[2] = kNan;
  EXPECT_EQ(message_of<NumericError>([&] {
              check_finite(tensors, "weights:", {4, 2});
            }),
            "step 4 (epoch 2): weights: weight is not finite");
}

}  // namespace
}  // namespace namid::train
