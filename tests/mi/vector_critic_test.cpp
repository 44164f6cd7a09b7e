// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/vector_critic.h"

#include <gtest/gtest.h>

#include "namid/core/error.h"
#include "support/waves.h"

namespace namid::mi {
namespace {

using testing::deviation;
using testing::wave;

TEST(NormalScores, PutTheSamplesOwnValuesOnNormalQuantiles) {
  const auto sample = torch::tensor({{3.}, {-1.}, {7.}, {4.}}, at::kDouble);
  const auto scores = NormalScores(sample)(sample).squeeze(1);
  const double outer = 1.1503493803760083, inner = 0.31863936396437515;  // Φ⁻¹(7/8), Φ⁻¹(5/8)
  EXPECT_LT(deviation(scores, torch::tensor({-inner, -outer, outer, inner}, at::kDouble)), 1e-12);
}

TEST(NormalScores, InterpolateBetweenValuesAndStopAtTheEnds) {
  const auto sample = torch::tensor({{0.}, {1.}, {2.}}, at::kDouble);
  const NormalScores scores(sample);
  const auto at_values = scores(sample);
  const auto between = scores(torch::tensor({{0.25}, {-9.}, {50.}}, at::kDouble));
  EXPECT_NEAR(between[0].item<double>(), 0.75 * at_values[0].item<double>(), 1e-14);
  EXPECT_TRUE(between[1].equal(at_values[0]));
  EXPECT_TRUE(between[2].equal(at_values[2]));
}

TEST(NormalScores, AreTheSameForEveryIncreasingScale) {
  const auto sample = wave({200, 3}, 1.7);
  const auto plain = NormalScores(sample)(sample);
  EXPECT_LT(deviation(NormalScores(sample.pow(3))(sample.pow(3)), plain), 1e-12);
  EXPECT_LT(deviation(NormalScores(sample.exp())(sample.exp()), plain), 1e-12);
}

TEST(NormalScores, TakeEqualValuesAndRefuseTooFew) {
  const auto constant = at::ones({5, 2}, at::kDouble);
  EXPECT_TRUE(NormalScores(constant)(constant).isfinite().all().item<bool>());
  EXPECT_THROW(NormalScores(at::ones({1, 2})), OptionError);
  EXPECT_THROW(NormalScores(at::ones({3})), OptionError);
}

TEST(VectorCritic, HasTheFormOfItsHeader) {
  const VectorCritic critic({.x_size = 3, .y_size = 2, .hidden = 5, .embedding = 4}, 7);
  const auto x = wave({6, 3}, 1.1).to(at::kFloat), y = wave({6, 2}, 0.7).to(at::kFloat);
  const auto scores = critic.scores(x, y);
  ASSERT_EQ(scores.sizes(), (std::vector<std::int64_t>{6, 6, 1}));
  const auto p = critic.parameters();  // x's side, then y's
  const auto side = [&](std::size_t at, const at::Tensor& v) {
    const auto hidden = (v.matmul(p[at].t()) + p[at + 1]).relu();
    return hidden.matmul(p[at + 2].t()) + p[at + 3] + v.matmul(p[at + 4].t());
  };
  EXPECT_LT(deviation(scores.squeeze(2), side(5, y).matmul(side(0, x).t()) / 2), 1e-6);
}

TEST(VectorCritic, WeightsComeFromItsSeedAlone) {
  const VectorCriticShape shape{.x_size = 3, .y_size = 2};
  const auto a = VectorCritic(shape, 7).parameters(), b = VectorCritic(shape, 7).parameters();
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(a[i].equal(b[i]));
  EXPECT_FALSE(VectorCritic(shape, 8).parameters()[0].equal(a[0]));
  EXPECT_THROW(VectorCritic({.x_size = 3}, 7), OptionError);
}

}  // namespace
}  // namespace namid::mi
