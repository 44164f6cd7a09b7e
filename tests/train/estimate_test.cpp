// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "train/estimate_bench.h"

namespace namid::train {
namespace {

using testing::message_of;
using testing::separable;
using testing::weights_sha256;

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
  options.rules.objective = mi::EstimationObjective::selected;
  attack.budget.epsilon = 0;  // nothing is ever selected: every step is skipped
  const auto result = run();
  EXPECT_TRUE(result.at("weak"));
  const auto warnings = result.at("warnings");
  ASSERT_EQ(warnings.size(), 3U);
  EXPECT_NE(warnings[0].get<std::string>().find("100.0 % of the batches were skipped"),
            std::string::npos);
  EXPECT_EQ(warnings[1].get<std::string>().rfind("weak: ", 0), 0U);
}

TEST_F(Estimate, EveryObjectiveTrainsItsNetsAndResumes) {
  for (const auto objective : {mi::EstimationObjective::selected, mi::EstimationObjective::standard,
                               mi::EstimationObjective::natural}) {
    SCOPED_TRACE(to_string(objective));
    options.rules.objective = objective;
    options.epochs = 1;
    if (objective == mi::EstimationObjective::selected) label_by_target(training);
    const auto one_pair = objective != mi::EstimationObjective::selected;
    const auto nets = [&] {
      const auto pair = mi::load_estimators(folder / "estimators.safetensors");
      EXPECT_EQ(pair.info.objective, to_string(objective));
      EXPECT_EQ(pair.adversarial.defined(), !one_pair);
      return weights_sha256(pair.natural.state_dict());
    };
    folder = run::RunFolder::create(temp.path(), "estimate", "test");
    const auto result = run();
    EXPECT_EQ(result.at("scores").contains("standard_on_adversarial"), one_pair);
    EXPECT_GT(result.at("selected_images"), 0);
    const auto expected = nets();
    folder = run::RunFolder::create(temp.path(), "estimate", "test");
    run::StopToken now;
    now.request(2);
    EXPECT_THROW(run(false, &now), run::Interrupted);
    run(true);
    EXPECT_EQ(nets(), expected);
  }
}

TEST_F(Estimate, ScoresHeldOutImagesAfterEachEpoch) {
  validation = separable(40, 2);
  label_by_target(training);
  label_by_target(validation);
  options.rules.objective = mi::EstimationObjective::selected;
  const auto result = run();
  std::vector<run::MetricsRow> epochs;
  for (const auto& row : run::read_metrics(folder.path()))
    if (row.kind == "epoch") epochs.push_back(row);
  ASSERT_EQ(epochs.size(), 3U);
  const auto& last = epochs.back().metrics;
  const auto& held_out = result.at("validation");
  EXPECT_EQ(held_out.at("scored_images"), 32) << "two full batches of 16";
  EXPECT_EQ(last.at("validation_natural_on_natural"),
            held_out.at("scores").at("natural_on_natural").get<double>());
  EXPECT_EQ(last.at("validation_selected"), held_out.at("selected_images").get<double>());
  const double sets = last.at("validation_selected") + last.at("validation_right");
  EXPECT_GT(last.at("validation_selected"), 0);
  EXPECT_NEAR(sets, 32 * last.at("validation_natural_accuracy"), 1e-9);
}

TEST_F(Estimate, RefusesWhatItCannotDo) {
  const auto refusal = [&] { return message_of<OptionError>([&] { run(); }); };
  options.profile = Profile::reference;
  options.rules.objective = mi::EstimationObjective::standard;
  EXPECT_EQ(refusal(),
            "[estimate] profile: the released code has the objectives separate and selected only, "
            "got standard; use the paper profile");
  options.rules.objective = mi::EstimationObjective::selected;
  attack.budget.epsilon = 0.5;
  EXPECT_NE(refusal().find("0.5 is the reference profile's radius in l2"), std::string::npos);
  options.profile = Profile::paper;
  attack.budget.epsilon = 0.3;
  options.layer = models::Layer::internal;
  EXPECT_NE(refusal().find("small_cnn has no layer 'internal'"), std::string::npos);
  options.layer = models::Layer::logits;
  options.beta2 = 1;
  EXPECT_EQ(refusal(), "[estimate] beta2: expected in [0, 1), got 1: nothing would move");
  options.beta2 = 0.999;
  options.batch_size = 1;
  EXPECT_EQ(refusal(), "[estimate] batch_size: expected ≥ 2, got 1");
  options.batch_size = 71;
  EXPECT_NE(refusal().find("got batch_size 71 and 70 images"), std::string::npos);
  training.num_classes = 4;
  EXPECT_NE(refusal().find("does not fit the target"), std::string::npos);
}

}  // namespace
}  // namespace namid::train
