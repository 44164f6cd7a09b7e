// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>

#include "namid/mi/estimator.h"
#include "train/workbench.h"

namespace namid::train {
namespace {

using testing::message_of;
using testing::separable;
using testing::small_attack;
using testing::weights_sha256;

/// A target with honest mistakes under attack, so that Eq. 6 selects some samples.
struct Estimate : ::testing::Test {
  Estimate() {
    at::set_num_threads(1);
    options.objective = mi::EstimationObjective::separate;
    options.epochs = 3;
    options.batch_size = 16;
    options.units = 8;
    options.milestones = {3};
    options.checkpoint_every = 2;
    attack.budget.epsilon = 0.3;
  }
  ::namid::testing::TempFolder temp;
  run::RunFolder folder = run::RunFolder::create(temp.path(), "estimate", "test");
  data::Dataset training = separable(70);
  models::Classifier target = testing::small_model();
  attacks::PgdOptions attack = small_attack();
  EstimateOptions options;
  run::StopToken stop;

  nlohmann::json run(bool resume = false, const run::StopToken* token = nullptr) {
    return estimate(target, "hash-of-target", training, false, attack, options,
                    {folder, token ? token : &stop, resume, false});
  }
  std::string hash() const {
    const auto pair = mi::load_estimators(folder / "estimators.safetensors");
    return weights_sha256(pair.natural.state_dict()) +
           weights_sha256(pair.adversarial.state_dict());
  }
};

TEST_F(Estimate, RaisesTheScoresAndRecordsWhatTheyAreFor) {
  options.epochs = 12;
  options.milestones = {};
  options.lr = 1e-2;
  const auto before = weights_sha256(target.state_dict());
  const auto result = run();
  EXPECT_EQ(result.at("steps"), 12 * 4) << "the last, smaller batch is dropped";
  const auto rows = run::read_metrics(folder.path());
  EXPECT_GT(rows.back().metrics.at("natural_score"), rows[0].metrics.at("natural_score") + 0.1);
  EXPECT_GT(result.at("scores").at("natural_on_natural"), 0);
  EXPECT_EQ(result.at("scores").count("selected"), 0U) << "a count is no score";
  EXPECT_EQ(result.at("scored_images"), 64);
  EXPECT_EQ(weights_sha256(target.state_dict()), before) << "the target is frozen";
  EXPECT_TRUE(target.is_training()) << "and gets its mode back";
  const auto info = mi::load_estimators(folder / "estimators.safetensors").info;
  EXPECT_EQ(info.units, 8);
  EXPECT_EQ(info.num_classes, 3);
  EXPECT_EQ(info.input_shape, (std::vector<std::int64_t>{1, 8, 8}));
  EXPECT_EQ(info.objective, "separate");
  EXPECT_EQ(info.data, "separable");
  EXPECT_EQ(info.target_sha256, "hash-of-target");
  EXPECT_DOUBLE_EQ(info.budget.epsilon, 0.3);
}

TEST_F(Estimate, AResumedRunEndsWithBitIdenticalNets) {
  run();
  const auto expected = hash();
  for (const int every : {1, 3}) {  // interrupted after every step, checkpoints besides
    folder = run::RunFolder::create(temp.path(), "estimate", "test");
    options.checkpoint_every = every;
    run::StopToken always;
    always.request(2);
    int interruptions = 0;
    for (bool done = false; !done; ++interruptions) {
      try {
        run(interruptions > 0, &always);
        done = true;
      } catch (const run::Interrupted&) {
        ASSERT_LT(interruptions, 40);
      }
    }
    EXPECT_GE(interruptions, 12) << "one per step";
    EXPECT_EQ(hash(), expected);
    EXPECT_EQ(run::read_metrics(folder.path()).size(), 3U * 5);
  }
}

TEST_F(Estimate, SaysThatAnEstimatorIsWeak) {
  options.objective = mi::EstimationObjective::selected;
  attack.budget.epsilon = 0;  // nothing is ever selected: every step is skipped
  const auto result = run();
  EXPECT_TRUE(result.at("weak"));
  const auto warnings = result.at("warnings");
  ASSERT_EQ(warnings.size(), 3U);
  EXPECT_NE(warnings[0].get<std::string>().find("100.0 % of the batches were skipped"),
            std::string::npos);
  EXPECT_EQ(warnings[1].get<std::string>().rfind("weak: ", 0), 0U);
}

TEST_F(Estimate, RefusesWhatItCannotDo) {
  const auto refusal = [&] { return message_of<OptionError>([&] { run(); }); };
  options.profile = Profile::reference;
  EXPECT_NE(refusal().find("[estimate] profile: 'reference' is not available"), std::string::npos);
  options.profile = Profile::paper;
  options.batch_size = 1;
  EXPECT_EQ(refusal(), "[estimate] batch_size: expected ≥ 2, got 1");
  options.batch_size = 71;
  EXPECT_NE(refusal().find("got batch_size 71 and 70 images"), std::string::npos);
  training.num_classes = 4;
  EXPECT_NE(refusal().find("does not fit the target"), std::string::npos);
}

}  // namespace
}  // namespace namid::train
