// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/objectives.h"

#include <gtest/gtest.h>

#include "support/estimation_batches.h"

namespace namid::mi {
namespace {

using testing::batch_of;
using testing::from_index;
using testing::small_estimators;
using testing::value;
using testing::wave;
using testing::without_selected;

TEST(EstimationLoss, OfEquationFourIsTheMeanOverAllSamples) {
  const auto pair = small_estimators();
  const auto batch = batch_of(6);
  const auto result = estimation_loss(pair, batch, {.objective = EstimationObjective::separate});
  const auto natural =
      pair.natural.loss(pair.natural.local_features(batch.x), batch.output_natural).mean();
  const auto adversarial =
      pair.adversarial
          .loss(pair.adversarial.local_features(batch.x_adv - batch.x), batch.output_adversarial)
          .mean();
  EXPECT_NEAR(value(result.natural), value(natural), 1e-12);
  EXPECT_NEAR(value(result.adversarial), value(adversarial), 1e-12);
  EXPECT_NEAR(result.metrics.at("natural_score"), -value(natural), 1e-12);
  EXPECT_NEAR(result.metrics.at("adversarial_score"), -value(adversarial), 1e-12);
  EXPECT_EQ(result.metrics.at("selected"), 3);
}

TEST(EstimationLoss, OfEquationFiveClampsTheSubtractedScorePerSample) {
  const auto pair = small_estimators();
  const auto batch = batch_of(12);
  const auto result = estimation_loss(pair, batch);
  int positive = 0, negative = 0;
  const auto by_hand = [&](const Estimator& e, const at::Tensor& former, const at::Tensor& own,
                           const at::Tensor& other) {
    const auto local = e.local_features(former);
    const auto keep = e.loss(local, own).mean(1), drop = e.loss(local, other).mean(1);
    double sum = 0;
    for (int i = 0; i < 12; i += 2) {
      const double subtracted = -value(drop[i]);
      ++(subtracted > 0 ? positive : negative);
      sum += value(keep[i]) + std::max(subtracted, 0.0);
    }
    return sum / 6;
  };
  EXPECT_NEAR(value(result.natural),
              by_hand(pair.natural, batch.x, batch.output_natural, batch.output_adversarial),
              1e-12);
  EXPECT_NEAR(value(result.adversarial),
              by_hand(pair.adversarial, batch.x_adv - batch.x, batch.output_adversarial,
                      batch.output_natural),
              1e-12);
  EXPECT_GT(positive, 0);
  EXPECT_GT(negative, 0);
  EXPECT_EQ(result.metrics.at("selected"), 6);
}

TEST(EstimationLoss, IsSkippedWithoutRunningANet) {
  const auto pair = small_estimators();
  pair.natural.train();
  pair.adversarial.train();
  const auto batches = [&](const Estimator& e, const std::string& net) {
    return find_tensor(e.state_dict(), net + ".block_nonlinear.1.num_batches_tracked")
        .item<std::int64_t>();
  };
  const auto none = estimation_loss(pair, without_selected(batch_of(6)));
  EXPECT_FALSE(none.natural.defined() || none.adversarial.defined());
  EXPECT_EQ(none.metrics, (Metrics{{"right", 6}, {"selected", 0}}));
  for (const auto objective : {EstimationObjective::separate, EstimationObjective::selected})
    EXPECT_FALSE(estimation_loss(pair, batch_of(1), {.objective = objective}).natural.defined());
  EXPECT_EQ(batches(pair.natural, "local"), 0);

  EXPECT_TRUE(estimation_loss(pair, without_selected(batch_of(6)),
                              {.objective = EstimationObjective::separate})
                  .natural.defined());
  EXPECT_EQ(batches(pair.natural, "local"), 1);
  EXPECT_EQ(batches(pair.natural, "global"), 1);
  estimation_loss(pair, batch_of(6));
  for (const auto* estimator : {&pair.natural, &pair.adversarial}) {
    EXPECT_EQ(batches(*estimator, "local"), 2) << "one more";
    EXPECT_EQ(batches(*estimator, "global"), 3) << "two more";
  }
}

TEST(EstimationLoss, OneSelectedSampleIsEnough) {
  const auto result = estimation_loss(small_estimators(), batch_of(2));
  EXPECT_EQ(result.metrics.at("selected"), 1);
  EXPECT_TRUE(result.natural.isfinite().item<bool>());
}

TEST(EstimationLoss, TrainingRaisesTheScoreOfMatchedPairsAlone) {
  const auto pair = make_estimators(
      {.units = 16, .num_classes = 10, .input_shape = {3, 8, 8}, .objective = "separate"}, 2);
  auto batch = batch_of(12);
  const auto scattered = [](double n) { return std::sin(0.9 * std::pow(n, 1.6)); };
  batch.x = 0.5 + 0.5 * from_index({12, 3, 8, 8}, scattered);
  batch.output_natural = 3 * from_index({12, 10}, scattered);
  for (auto* t : {&batch.x, &batch.x_adv, &batch.output_natural, &batch.output_adversarial})
    *t = t->to(at::kFloat);
  torch::optim::Adam adam(pair.natural.parameters(), torch::optim::AdamOptions(3e-3));
  double first = 0;
  for (int step = 0; step < 60; ++step) {
    const auto result = estimation_loss(pair, batch, {.objective = EstimationObjective::separate});
    if (step == 0) first = result.metrics.at("natural_score");
    adam.zero_grad();
    result.natural.backward();
    adam.step();
  }
  const auto matched = mean_scores(pair, batch).at("natural_on_natural");
  batch.output_natural = batch.output_natural.roll(1, 0);
  const auto shuffled = mean_scores(pair, batch).at("natural_on_natural");
  EXPECT_GT(matched, first + 1);
  EXPECT_GT(matched, shuffled + 1);
}

TEST(MeanScores, NameEachPairOfInputAndOutput) {
  const auto pair = small_estimators();
  const auto batch = batch_of(6);
  const auto scores = mean_scores(pair, batch);
  EXPECT_EQ(scores.size(), 14u);
  const auto local = pair.adversarial.local_features(batch.x_adv - batch.x);
  const auto loss = pair.adversarial.loss(local, batch.output_natural).mean(1);
  EXPECT_NEAR(scores.at("adversarial_on_natural"), -value(loss.mean()), 1e-12);
  EXPECT_NEAR(scores.at("adversarial_on_natural_selected"),
              -(value(loss[0]) + value(loss[2]) + value(loss[4])) / 3, 1e-12);
  EXPECT_EQ(scores.at("selected"), 3);
  const auto none = mean_scores(pair, without_selected(batch));
  EXPECT_EQ(none.size(), 10u);
  EXPECT_FALSE(none.contains("natural_on_natural_selected"));
  EXPECT_EQ(mean_scores(pair, batch_of(1)), (Metrics{{"right", 0}, {"selected", 1}}));
}

}  // namespace
}  // namespace namid::mi
