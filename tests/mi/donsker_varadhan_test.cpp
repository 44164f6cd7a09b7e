// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/donsker_varadhan.h"

#include <gtest/gtest.h>

#include "namid/core/error.h"
#include "namid/mi/scores.h"
#include "support/mi_golden.h"

namespace namid::mi {
namespace {

using testing::deviation;
using testing::gradient_error;
using testing::MiGolden;
using testing::report_deviation;
using testing::wave;

TEST(DonskerVaradhan, GivesTheReferenceValuesWhenTheDiagonalIsMultiplied) {
  const MiGolden golden;
  const auto scores = golden.scores();
  const auto loss = donsker_varadhan(scores, DvMask::multiply);
  const auto positive =
      torch::tensor({2.82324164, 2.85514426, 2.85253444, 2.81544375, 2.74432052}, at::kDouble);
  const auto negative =
      torch::tensor({1.63647961, 1.45042152, 1.24787518, 1.03212394, 0.80747564}, at::kDouble);
  const auto expected =
      torch::tensor({-1.58326175, -0.19780978, 0.86580871, 0.25119256}, at::kDouble);
  const double off_positive = deviation(scores[0][0], positive);
  const double off_rows = deviation(loss[0], negative - positive);
  const double off_samples = deviation(loss.mean(1), expected);
  report_deviation(std::max({off_positive, off_rows, off_samples}));
  EXPECT_LT(off_positive, 1e-8);
  EXPECT_LT(off_rows, 2e-8);
  EXPECT_LT(off_samples, 1e-8);
  EXPECT_NEAR(loss.mean().item<double>(), -0.16601757, 1e-8);
}

TEST(DonskerVaradhan, GivesTheReferenceValuesWhenTheDiagonalIsExcluded) {
  const MiGolden golden;
  const auto loss = donsker_varadhan(golden.scores());
  const auto expected =
      torch::tensor({-1.69054720, -0.27892978, 0.72071415, -0.06724056}, at::kDouble);
  report_deviation(deviation(loss.mean(1), expected));
  EXPECT_LT(deviation(loss.mean(1), expected), 1e-8);
  EXPECT_NEAR(loss.mean().item<double>(), -0.32900085, 1e-8);
}

TEST(DonskerVaradhan, OfTwoSamplesHasItsClosedForm) {
  const auto scores = wave({2, 2, 3}, 1.7) * 4;
  const auto own = at::stack({scores[0][0], scores[1][1]});
  const auto other = at::stack({scores[0][1], scores[1][0]});
  EXPECT_LT(deviation(donsker_varadhan(scores), other - own), 1e-14);
  EXPECT_LT(deviation(donsker_varadhan(scores, DvMask::multiply), other.exp().add(1).log() - own),
            1e-14);
}

TEST(DonskerVaradhan, IsZeroForConstantScores) {
  EXPECT_LT(donsker_varadhan(at::full({7, 7, 2}, 3.5, at::kDouble)).abs().max().item<double>(),
            1e-14);
}

TEST(DonskerVaradhan, GradientMatchesFiniteDifferences) {
  const auto scores = wave({3, 3, 2}, 0.9) * 3;
  const auto weights = wave({3, 2}, 0.4, 1);
  for (const auto mask : {DvMask::exclude, DvMask::multiply}) {
    const auto f = [&](const at::Tensor& u) { return (donsker_varadhan(u, mask) * weights).sum(); };
    EXPECT_LT(gradient_error(f, scores), 1e-8) << to_string(mask);
  }
}

TEST(DonskerVaradhan, StaysFiniteForLargeScoresAndSmallBatches) {
  for (const auto mask : {DvMask::exclude, DvMask::multiply})
    for (const std::int64_t n : {2, 5}) {
      auto scores = (wave({n, n, 3}, 2.1) * 1e4).to(at::kFloat).requires_grad_();
      const auto loss = donsker_varadhan(scores, mask);
      loss.sum().backward();
      EXPECT_TRUE(loss.isfinite().all().item<bool>());
      EXPECT_TRUE(scores.grad().isfinite().all().item<bool>());
    }
}

TEST(DonskerVaradhan, FollowsAPermutationOfTheBatch) {
  const auto global = wave({5, 4}, 0.8), local = wave({5, 4, 3}, 0.3);
  const auto order = torch::tensor({3, 0, 4, 2, 1});
  const auto loss = donsker_varadhan(score_tensor(global, local));
  const auto moved = donsker_varadhan(score_tensor(global.index_select(0, order),  //
                                                   local.index_select(0, order)));
  EXPECT_LT(deviation(moved, loss.index_select(0, order)), 1e-12);
}

TEST(DonskerVaradhan, ScoresMatchedPairsAboveShuffledOnes) {
  const auto global = wave({6, 8}, 1.3) * 2;
  const auto local = global.unsqueeze(2) + 0.1 * wave({6, 8, 4}, 0.7);
  const auto matched = -donsker_varadhan(score_tensor(global, local)).mean();
  const auto shuffled = -donsker_varadhan(score_tensor(global.roll(1, 0), local)).mean();
  EXPECT_GT(matched.item<double>(), 0);
  EXPECT_LT(shuffled.item<double>(), 0);
}

TEST(ScoreTensor, PutsTheGlobalVectorFirst) {
  const auto global = wave({3, 2}, 0.8), local = wave({3, 2, 4}, 0.3);
  const auto scores = score_tensor(global, local);
  ASSERT_EQ(scores.sizes(), (std::vector<std::int64_t>{3, 3, 4}));
  EXPECT_NEAR(scores[2][1][3].item<double>(),
              (global[2] * local[1].select(1, 3)).sum().item<double>(), 1e-14);
}

TEST(ScoreTensor, RefusesUnfitShapes) {
  EXPECT_THROW(score_tensor(at::zeros({3, 2}), at::zeros({4, 2, 5})), OptionError);
  EXPECT_THROW(score_tensor(at::zeros({3, 2}), at::zeros({3, 5, 2})), OptionError);
  EXPECT_THROW(donsker_varadhan(at::zeros({1, 1, 5})), OptionError);
  EXPECT_THROW(donsker_varadhan(at::zeros({3, 4, 5})), OptionError);
}

}  // namespace
}  // namespace namid::mi
