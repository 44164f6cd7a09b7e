// SPDX-License-Identifier: Apache-2.0
#include "namid/train/refresh.h"

#include "namid/models/registry.h"
#include "train/workbench.h"

namespace namid::train {
namespace {

using testing::message_of;
using testing::small_attack;
using testing::weights_sha256;

constexpr int kStepsPerEpoch = 6;

/// NAMID on the small model, with fresh estimators before epochs 2, 3 and 4.
struct Refresh : ::testing::Test {
  Refresh() {
    bench.options.epochs = 4;
    bench.options.milestones = {4};
    bench.options.refresh_estimators = 1;
    plan.after = 1;
    plan.estimate.rules.objective = mi::EstimationObjective::separate;
    plan.estimate.epochs = 2;
    plan.estimate.batch_size = 14;
    plan.estimate.units = 8;
    plan.estimate.milestones = {2};
    plan.estimate.checkpoint_every = 1;
    plan.bind = [this](const mi::EstimatorPair& pair) {
      bound.push_back(weights_sha256(pair.natural.state_dict()));
      return with(pair);
    };
  }
  static defenses::Objective with(const mi::EstimatorPair& pair) {
    return defenses::make_objective(
        defenses::Defense::namid,
        {.attack = small_attack(), .namid = {.mi_warmup = 0}, .full_batch = 8}, pair);
  }
  static mi::EstimatorPair first_pair() {
    return mi::make_estimators(
        {.units = 8, .num_classes = 3, .input_shape = {1, 8, 8}, .objective = "separate"}, 2);
  }
  nlohmann::json run(testing::Workbench& b, bool resume = false, const run::StopToken* stop = {}) {
    return train(b.model, b.training, b.validation, false, with(first_pair()), small_attack(),
                 b.options, {b.folder, stop ? stop : &b.stop, resume, false}, &plan);
  }

  testing::Workbench bench;
  RefreshPlan plan;
  std::vector<std::string> bound;  ///< natural estimators that were put to use
};

TEST(RefreshEpochs, AreThoseAfterEveryKEpochsWithMiTerms) {
  const auto due = [](int every, int after) {
    std::vector<int> epochs;
    for (int epoch = 1; epoch <= 12; ++epoch)
      if (refresh_is_due(epoch, every, after)) epochs.push_back(epoch);
    return epochs;
  };
  EXPECT_EQ(due(0, 0), std::vector<int>{});
  EXPECT_EQ(due(5, 2), (std::vector<int>{6, 11}));
  EXPECT_EQ(due(3, 4), (std::vector<int>{7, 10}));
  EXPECT_EQ(due(4, 0), (std::vector<int>{5, 9})) << "not on an untrained model";
  EXPECT_NE(refresh_seed(1, 6), refresh_seed(1, 11));
  EXPECT_NE(refresh_seed(1, 6), refresh_seed(2, 6));
}

TEST_F(Refresh, ThePairIsThatOfAnEstimationOnThePresentModel) {
  bench.options.epochs = 2;
  const auto result = run(bench);
  ASSERT_EQ(bound.size(), 1U);
  testing::Workbench one;  // the same first epoch
  one.options = bench.options;
  one.options.epochs = 1;
  run(one);
  auto options = plan.estimate;
  options.seed = refresh_seed(plan.estimate.seed, 2);
  const auto folder = run::RunFolder::create(one.temp.path(), "estimate", "direct");
  estimate({.target = one.model,
            .target_sha256 = "",
            .training = one.training,
            .validation = {},
            .attack = small_attack()},
           options, {folder});
  const auto direct = mi::load_estimators(folder / "estimators.safetensors");
  EXPECT_EQ(bound[0], weights_sha256(direct.natural.state_dict()));
  const auto refreshes = result.at("refreshes");
  ASSERT_EQ(refreshes.size(), 1U);
  EXPECT_EQ(refreshes[0].at("epoch"), 2);
  EXPECT_EQ(refreshes[0].at("steps"), 2 * 3);
  EXPECT_GT(refreshes[0].at("seconds"), 0);
  EXPECT_TRUE(refreshes[0].at("scores").contains("natural_on_natural"));
  const auto info =
      mi::load_estimators(bench.folder / "refresh/epoch-2-001/estimators.safetensors").info;
  EXPECT_EQ(info.target_sha256, weights_sha256(one.model.state_dict()));
}

TEST_F(Refresh, RecordsItsCostAndKeepsTheLastThreePairs) {
  bench.options.epochs = 6;
  const auto result = run(bench);
  EXPECT_EQ(result.at("refreshes").size(), 5U);
  EXPECT_EQ(bound.size(), 5U);
  for (int epoch = 2; epoch <= 6; ++epoch) {
    const auto folder = bench.folder / str("refresh/epoch-", epoch, "-001");
    EXPECT_EQ(std::filesystem::exists(folder / "estimators.safetensors"), epoch > 3) << epoch;
    EXPECT_FALSE(std::filesystem::exists(folder / "checkpoints")) << epoch;
  }
  for (const auto& row : run::read_metrics(bench.folder.path()))
    if (row.kind == "epoch") {
      EXPECT_EQ(row.metrics.at("refresh_seconds") > 0, row.epoch > 1) << row.epoch;
    }
}

TEST_F(Refresh, ARunStoppedAtEveryStepEndsWithBitIdenticalWeights) {
  run(bench);
  const auto expected = bench.weights();
  const auto pairs = bound;
  testing::Workbench frozen;
  frozen.options = bench.options;
  frozen.options.refresh_estimators = 0;
  run(frozen);
  EXPECT_NE(frozen.weights(), expected) << "the new pairs were used";

  testing::Workbench cut;
  cut.options = bench.options;
  cut.validation = {};  // a stop that is always asked for ends each validation
  run::StopToken always;
  always.request(2);
  bound.clear();
  int interruptions = 0;
  for (bool done = false; !done; ++interruptions) {
    try {
      cut.model = testing::small_model("small_cnn", interruptions == 0 ? 5 : 77);
      run(cut, interruptions > 0, &always);
      done = true;
    } catch (const run::Interrupted&) {
      ASSERT_LT(interruptions, 80);
    }
  }
  EXPECT_GE(interruptions, 4 * kStepsPerEpoch + 3 * 6 - 1) << "inside refreshes as well";
  EXPECT_EQ(cut.weights(), expected);
  for (const auto& pair : pairs)
    EXPECT_NE(std::find(bound.begin(), bound.end(), pair), bound.end());
}

TEST_F(Refresh, ACompleteRefreshIsNotRepeatedUnlessTheWeightsDiffer) {
  bench.options.epochs = 2;
  run(bench);
  const auto record = bench.folder / "refresh/epoch-2-001/run.json";
  const auto before = std::filesystem::last_write_time(record);
  // The checkpoint before the refresh, as after a kill in the first step that follows it.
  std::filesystem::remove(bench.folder / "checkpoints/last.safetensors");
  bench.model = testing::small_model("small_cnn", 77);
  const auto again = run(bench, true);
  EXPECT_EQ(std::filesystem::last_write_time(record), before);
  EXPECT_EQ(bound.at(1), bound.at(0));
  run::RunFolder::open(bench.folder / "refresh/epoch-2-001")
      .update_record({{"target_sha256", "another"}});
  std::filesystem::remove(bench.folder / "checkpoints/last.safetensors");
  run(bench, true);
  EXPECT_EQ(bound.at(2), bound.at(0)) << "trained anew, and the same";
}

TEST_F(Refresh, RefusesADefenceWithoutEstimators) {
  EXPECT_EQ(message_of<OptionError>([&] { bench.run(); }),
            "[train] refresh_estimators: only for a defence with estimators");
}

TEST_F(Refresh, SaysWhatIsMissingWhenThePairOfACheckpointIsGone) {
  run(bench);
  std::filesystem::remove(bench.folder / "refresh/epoch-4-001/estimators.safetensors");
  EXPECT_THROW(run(bench, true), DataError);
}

}  // namespace
}  // namespace namid::train
