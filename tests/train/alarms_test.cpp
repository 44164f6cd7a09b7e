// SPDX-License-Identifier: Apache-2.0
#include "namid/train/alarms.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace namid::train {
namespace {

constexpr std::int64_t kBatch = 9;  // log(N-1) = 2.079

at::Tensor labels() {
  return at::arange(30, at::kLong).remainder(3);
}

Alarms::Epoch epoch(int number, double training, double validation) {
  return {.number = number,
          .means = {{"adversarial_accuracy", training}},
          .robust = validation,
          .largest_class_share = 0.4};
}

TEST(Alarms, ACollapseComparesPredictionsWithUnevenLabels) {
  EXPECT_TRUE(has_collapsed(0.95, labels()));
  EXPECT_FALSE(has_collapsed(0.94, labels()));
  EXPECT_TRUE(has_collapsed(1, at::arange(20, at::kLong).remainder(2)));
  EXPECT_FALSE(has_collapsed(1, at::arange(19, at::kLong).remainder(2))) << "too few images";
  EXPECT_FALSE(has_collapsed(1, at::zeros({40}, at::kLong))) << "one class is right";
}

TEST(Alarms, ScoresAreCredibleUpToLogOfTheNegativesEitherWay) {
  for (const double sign : {-1.0, 1.0}) {
    EXPECT_TRUE(is_credible(sign * std::log(255.0), 256));
    EXPECT_FALSE(is_credible(sign * (std::log(255.0) + 1e-6), 256));
    EXPECT_TRUE(is_credible(sign * 7, 2)) << "one negative sets no scale";
  }
  EXPECT_FALSE(is_credible(std::numeric_limits<double>::quiet_NaN(), 256));
}

TEST(Alarms, OverfittingNeedsAFallAndARise) {
  const RobustAccuracies best{2, 0.5, 0.4};
  EXPECT_TRUE(is_overfitting(best, {5, 0.6, 0.34}, 0.05));
  EXPECT_FALSE(is_overfitting(best, {5, 0.6, 0.36}, 0.05)) << "no fall worth the name";
  EXPECT_FALSE(is_overfitting(best, {5, 0.4, 0.2}, 0.05)) << "training falls as well";
}

TEST(Alarms, WarnOncePerEpisodeAndCountEpochs) {
  Alarms alarms({}, labels(), kBatch);
  const auto with_score = [&](int number, double score) {
    return alarms.check({.number = number, .means = {{"adversarial_score", score}}});
  };
  EXPECT_TRUE(with_score(1, 1).warnings.empty());
  EXPECT_EQ(with_score(2, 2.2).warnings.size(), 1U) << "upward";
  EXPECT_TRUE(with_score(3, -2.2).warnings.empty()) << "still standing";
  EXPECT_EQ(with_score(4, 2).metrics.at("alarm_incredible_scores"), 0);
  EXPECT_EQ(with_score(5, -2.2).warnings.size(), 1U) << "a new episode";
  const auto record = alarms.record();
  ASSERT_EQ(record.size(), 1U);
  EXPECT_EQ(record[0].at("alarm"), "incredible_scores");
  EXPECT_EQ(record[0].at("action"), "warn");
  EXPECT_EQ(record[0].at("epochs"), 3);
  EXPECT_EQ(record[0].at("first_epoch"), 2);
  EXPECT_EQ(record[0].at("last_epoch"), 5);
}

TEST(Alarms, LookOnlyAtWhatIsThere) {
  Alarms alarms({}, labels(), kBatch);
  EXPECT_TRUE(alarms.check({.number = 1}).metrics.empty());
  const auto verdict = alarms.check({.number = 2, .means = {{"loss", -50}, {"base_loss", 1e9}}});
  EXPECT_TRUE(verdict.metrics.empty()) << "losses are no scores";
}

TEST(Alarms, RobustOverfittingRefersToTheBestValidation) {
  Alarms alarms({.on_overfitting = OnAlarm::stop, .overfitting_drop = 0.1}, labels(), kBatch);
  EXPECT_FALSE(alarms.check(epoch(1, 0.30, 0.40)).stop);
  EXPECT_FALSE(alarms.check(epoch(2, 0.35, 0.45)).stop);
  EXPECT_FALSE(alarms.check(epoch(3, 0.50, 0.36)).stop) << "fell by less than 0.1";
  const auto verdict = alarms.check(epoch(4, 0.60, 0.34));
  EXPECT_TRUE(verdict.stop);
  EXPECT_TRUE(verdict.error.empty()) << "an early stop is no failure";
  ASSERT_EQ(verdict.warnings.size(), 1U);
  EXPECT_EQ(verdict.warnings[0],
            "epoch 4: robust overfitting: since epoch 2 the robust accuracy has fallen from 45.0 % "
            "to 34.0 % on validation images and risen from 35.0 % to 60.0 % in training");
}

TEST(Alarms, AnAlarmThatIsOffIsNotLookedAt) {
  Alarms alarms({.on_collapse = OnAlarm::off,
                 .on_incredible_scores = OnAlarm::off,
                 .on_overfitting = OnAlarm::off},
                labels(), kBatch);
  for (const int number : {1, 2}) {
    auto bad = epoch(number, number, 1.0 / number);
    bad.means["natural_score"] = 99;
    bad.largest_class_share = 1;
    const auto verdict = alarms.check(bad);
    EXPECT_TRUE(verdict.metrics.empty() && verdict.warnings.empty() && verdict.error.empty());
  }
  EXPECT_TRUE(alarms.record().empty());
}

/// Epochs that raise and end every alarm.
Alarms::Epoch eventful(int number) {
  auto seen = epoch(number, 0.1 * number, number < 3 ? 0.5 : 0.5 - 0.04 * number);
  seen.means["natural_score"] = number % 3 == 0 ? -8 : 0.5;
  seen.largest_class_share = number % 4 == 0 ? 0.99 : 0.5;
  return seen;
}

TEST(Alarms, GoOnFromTheirStateAsIfUninterrupted) {
  for (int cut = 0; cut <= 8; ++cut) {
    const AlarmOptions options{.on_collapse = OnAlarm::warn};
    Alarms whole(options, labels(), kBatch), before(options, labels(), kBatch),
        after(options, labels(), kBatch);
    for (int i = 1; i <= cut; ++i) before.check(eventful(i)), whole.check(eventful(i));
    after.load_state(nlohmann::json::parse(before.state().dump()));
    for (int i = cut + 1; i <= 9; ++i) {
      const auto expected = whole.check(eventful(i)), got = after.check(eventful(i));
      EXPECT_EQ(got.metrics, expected.metrics) << cut << " " << i;
      EXPECT_EQ(got.warnings, expected.warnings) << cut << " " << i;
    }
    EXPECT_EQ(after.record(), whole.record()) << cut;
    EXPECT_EQ(whole.record().size(), 3U);
  }
}

}  // namespace
}  // namespace namid::train
