// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/at_mim.h"

#include <gtest/gtest.h>

#include "namid/models/registry.h"
#include "support/mi_toy.h"

namespace namid::defenses {
namespace {

using testing::small_estimators;
using testing::value;
using testing::wave;

struct SmallAtMim {
  Classifier model = models::create({.model = "small_cnn", .width = 4}, {3, 8, 8}, 10, /*seed=*/1);
  Batch batch{(0.5 + 0.5 * wave({8, 3, 8, 8}, 0.013)).to(at::kFloat), {}, {0, 1, 2, 3, 4, 5, 6, 7}};
  PgdOptions attack{.budget = {.epsilon = 0.2}, .steps = 3};
  AtMimSetting setting{.estimators = {small_estimators(16, at::kFloat).natural, {}, {}},
                       .full_batch = 8};
  Context context{.random = Random(1, "train/attack"), .epoch = 3};

  SmallAtMim() {
    setting.estimators.info = small_estimators().info;
    batch.y = model(batch.x).argmax(1);
  }
};

TEST(AtMim, AddsTheStandardScoreOfTheAdversarialImages) {
  SmallAtMim small;
  small.setting.options.alpha = 0.3;
  const auto x_adv = craft(small.model, small.batch, small.attack, small.context);
  const auto result = at_mim(small.model, small.batch, small.attack, small.setting, small.context);
  const auto logits = small.model(x_adv);
  const auto& critic = small.setting.estimators.natural;
  const auto mi = critic.loss(critic.local_features(x_adv), logits).mean();
  const auto expected = at::cross_entropy_loss(logits, small.batch.y) + 0.3 * mi;
  EXPECT_NEAR(value(result.loss), value(expected), 1e-6 * std::abs(value(expected)));
  EXPECT_NEAR(result.metrics.at("standard_score"), -value(mi), 1e-5);
  EXPECT_NEAR(result.metrics.at("loss"),
              result.metrics.at("base_loss") + 0.3 * result.metrics.at("mi_loss"), 1e-5);
}

TEST(AtMim, IsStandardTrainingWhereTheMiTermsDoNotJoin) {
  const auto skipped = [](const NamidOptions& shared, std::int64_t full_batch) {
    SmallAtMim small, other;
    small.setting.shared = shared;
    small.setting.full_batch = full_batch;
    const auto result =
        at_mim(small.model, small.batch, small.attack, small.setting, small.context);
    EXPECT_EQ(value(result.loss),
              value(standard(other.model, other.batch, other.attack, other.context).loss));
    return result.metrics.at("mi_skipped") == 1;
  };
  EXPECT_TRUE(skipped({.mi_warmup = 3}, 8));
  EXPECT_TRUE(skipped({}, 9));
  SmallAtMim one;
  one.model.train(false);
  one.batch = {one.batch.x.slice(0, 0, 1), one.batch.y.slice(0, 0, 1), {0}};
  one.setting.shared.mi_partial_batch = true;
  EXPECT_EQ(
      at_mim(one.model, one.batch, one.attack, one.setting, one.context).metrics.at("mi_skipped"),
      1)
      << "one sample has no negatives";
}

TEST(AtMim, RefusesEstimatorsThatAreMissingOrNotFrozenAndAlphaOutOfRange) {
  SmallAtMim small;
  const auto run = [&] { at_mim_loss(small.model, small.batch, small.batch.x, small.setting); };
  EXPECT_NO_THROW(run());
  small.setting.options.alpha = -1;
  EXPECT_THROW(run(), OptionError);
  small.setting.options.alpha = 0.1;
  small.setting.estimators.natural.train();
  EXPECT_THROW(run(), OptionError);
  small.setting.estimators.natural = {};
  EXPECT_THROW(run(), OptionError);
}

}  // namespace
}  // namespace namid::defenses
