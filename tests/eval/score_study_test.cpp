// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/score_study.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/models/registry.h"

namespace namid::eval {
namespace {

/// 20 images of 8 × 8, a small network and untrained estimators.
struct StudyBench {
  data::Dataset data;
  models::Classifier model;
  mi::EstimatorPair pair;
};

StudyBench bench() {
  StudyBench made;
  made.data.name = "toy";
  made.data.images = at::arange(20 * 64).remainder(251).to(at::kByte).view({20, 1, 8, 8});
  made.data.labels = at::arange(20).remainder(3);
  for (std::uint64_t i = 0; i < 20; ++i) made.data.ids.push_back(i);
  made.data.num_classes = 3;
  made.data.class_names = {"a", "b", "c"};
  made.model = models::create({.model = "mlp", .width = 16}, {1, 8, 8}, 3, 1);
  made.pair = mi::make_estimators(
      {.units = 16, .num_classes = 3, .input_shape = {1, 8, 8}, .objective = "selected"}, 1);
  return made;
}

Suite study_suite(const std::string& list) {
  SuiteOptions options;
  options.suite = list;
  attacks::PgdOptions attack;
  attack.budget.epsilon = 0.3;
  attack.steps = 5;
  return make_suite(options, attack);
}

TEST(ScoreStudy, TheOffsetRuleSetsTheSmallestValueOfAFamilyToZero) {
  const auto means = offset_means({{"a", {-3, 1}}, {"b", {5, 7, 9}}, {"none", {}}});
  ASSERT_EQ(means.size(), 2u);
  EXPECT_DOUBLE_EQ(means.at("a").mean, 2);   // 0 and 4
  EXPECT_DOUBLE_EQ(means.at("b").mean, 10);  // 8, 10, 12
  EXPECT_NEAR(means.at("b").sem, 2 / std::sqrt(3.0), 1e-12);
}

TEST(ScoreStudy, ScoresAreThoseOfTheEstimatorsBatchByBatch) {
  const auto [data, model, pair] = bench();
  const StudyOptions options{.batch_size = 8};
  const auto x_adv = study_images(model, data, study_suite("pgd"), options);
  ASSERT_EQ(x_adv.size(0), 16);  // two full batches
  const auto scores = score_images(model, pair, data, x_adv, options);
  const at::NoGradGuard no_grad;
  model.train(false);
  const auto x = data.images.narrow(0, 8, 8).to(at::kFloat) / 255;
  const auto expected =
      -pair.natural.loss(pair.natural.local_features(x), model(x_adv.narrow(0, 8, 8))).mean(1);
  for (int i = 0; i < 8; ++i)
    EXPECT_NEAR(scores.scores.at("natural_on_adversarial")[8 + i], expected[i].item<double>(),
                1e-6);
  EXPECT_EQ(scores.scores.size(), 5u);
  for (const auto& [name, values] : scores.scores) EXPECT_EQ(values.size(), 16u) << name;
}

TEST(ScoreStudy, KeepsWhatTheFirstAttackThatBrokeASampleFound) {
  const auto [data, model, pair] = bench();
  const StudyOptions options{.batch_size = 20};
  const auto alone = study_images(model, data, study_suite("apgd-ce(steps=5)"), options);
  const auto both =
      study_images(model, data, study_suite("apgd-ce(steps=5), square(queries=5)"), options);
  const auto labels = data.labels;
  const auto fooled = model(alone).argmax(1) != labels;
  EXPECT_TRUE(at::equal(both.index({fooled}), alone.index({fooled})));
  EXPECT_GE((model(both).argmax(1) != labels).sum().item<int>(), fooled.sum().item<int>());
}

TEST(ScoreStudy, AReportCountsSelectedSamplesAndClasses) {
  AttackScores attack{.attack = "pgd-10",
                      .scores = {{"natural_on_natural", {4, 2, 6}},
                                 {"natural_on_adversarial", {1, 0, 3}},
                                 {"image_on_adversarial", {2, 2, 2}}},
                      .right = {1, 1, 0},
                      .selected = {1, 0, 0},
                      .labels = {0, 1, 1}};
  const auto report = study_report({attack}, {"a", "b", "c"});
  EXPECT_EQ(report["attacks"][0]["right"], 2);
  EXPECT_EQ(report["attacks"][0]["selected"], 1);
  EXPECT_DOUBLE_EQ(report["attacks"][0]["scores"]["natural_on_natural"]["mean"], 4);
  EXPECT_EQ(report["attacks"][0]["per_class"].size(), 2u);  // no image of class c
  EXPECT_DOUBLE_EQ(report["attacks"][0]["per_class"][1]["natural_on_natural"], 4);
  EXPECT_DOUBLE_EQ(report["fig2"]["pgd-10"]["natural_on_natural"]["mean"], 4);  // smallest is 0
  EXPECT_DOUBLE_EQ(report["fig4"]["pgd-10"]["natural_on_natural"]["mean"], 3);  // smallest is 1
  EXPECT_FALSE(report["fig4"]["pgd-10"].contains("adversarial_on_natural"));
}

TEST(ScoreStudy, RefusesABatchLargerThanTheData) {
  const auto [data, model, pair] = bench();
  EXPECT_THROW(study_images(model, data, study_suite("pgd"), {.batch_size = 21}), OptionError);
  EXPECT_THROW(study_images(model, data, study_suite("pgd"), {.batch_size = 1}), OptionError);
}

}  // namespace
}  // namespace namid::eval
