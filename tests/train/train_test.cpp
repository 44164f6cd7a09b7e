// SPDX-License-Identifier: Apache-2.0
#include "namid/train/train.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

#include "namid/models/weights.h"
#include "namid/run/checkpoint.h"
#include "train/workbench.h"

namespace namid::train {
namespace {

using testing::acting_at;
using testing::adversarial;
using testing::message_of;
using testing::separable;
using testing::small_attack;
using testing::small_model;
using testing::weights_sha256;

struct Train : ::testing::Test {
  testing::Workbench bench;
  std::string hash_of(const std::string& file) {
    return weights_sha256(models::load_model(bench.folder / file).state_dict());
  }
  std::vector<run::MetricsRow> epochs() {
    std::vector<run::MetricsRow> found;
    for (auto& row : run::read_metrics(bench.folder.path()))
      if (row.kind == "epoch") found.push_back(row);
    return found;
  }
};

/// Sends the weights of the last layer where every image is of class 1.
void collapse(const models::Classifier& model) {
  const at::NoGradGuard no_grad;
  find_tensor(model.state_dict(), "fc2.weight").detach().zero_();
  find_tensor(model.state_dict(), "fc2.bias").detach().copy_(at::tensor({0.0F, 50.0F, 0.0F}));
}

/// A loss without gradient for any weight: nothing moves but BatchNorm's statistics.
defenses::ObjectiveResult standstill(const models::Classifier& model, const data::Batch& batch,
                                     const attacks::Context&) {
  const auto loss = 0 * model(batch.x).sum();
  return {loss, {{"loss", 0}}};
}

TEST_F(Train, LearnsSeparableClassesAdversarially) {
  bench.options.epochs = 8;
  bench.options.milestones = {7};
  bench.training = separable(96);
  const auto result = bench.run();
  const auto rows = epochs();
  ASSERT_EQ(rows.size(), 8U);
  EXPECT_LT(rows.back().metrics.at("loss"), 0.3 * rows.front().metrics.at("loss"));
  EXPECT_GE(result.at("validation").at("natural_accuracy"), 0.95);
  EXPECT_GE(result.at("validation").at("robust_accuracy"), 0.9);
  EXPECT_NEAR(rows[5].metrics.at("lr"), 0.05, 1e-12);
  EXPECT_NEAR(rows[6].metrics.at("lr"), 0.005, 1e-12);
  EXPECT_EQ(result.at("epochs"), 8);
  EXPECT_EQ(result.at("steps"), 96);
  EXPECT_FALSE(result.at("stopped_early"));
  EXPECT_TRUE(result.at("warnings").empty());
}

TEST_F(Train, TheResultIsTheModelAndItsFile) {
  const auto result = bench.run();
  EXPECT_EQ(result.at("weights_sha256"), bench.weights());
  EXPECT_EQ(hash_of("model.safetensors"), bench.weights());
  EXPECT_EQ(hash_of("last.safetensors"), bench.weights());
  EXPECT_FALSE(bench.model.is_training());
}

TEST_F(Train, EqualSeedsGiveEqualWeights) {
  bench.run();
  testing::Workbench other;
  other.run();
  EXPECT_EQ(other.weights(), bench.weights());
  testing::Workbench third;
  third.options.seed = 12;
  third.run();
  EXPECT_NE(third.weights(), bench.weights());
}

TEST_F(Train, ValidationChangesNoWeight) {
  bench.run();
  testing::Workbench without;
  without.validation = {};
  const auto result = without.run();
  EXPECT_EQ(without.weights(), bench.weights());
  EXPECT_TRUE(result.at("validation").is_null());
  EXPECT_TRUE(result.at("best_epoch").is_null());
  EXPECT_FALSE(std::filesystem::exists(without.folder / "best.safetensors"));
}

TEST_F(Train, SelectsTheBestValidation) {
  bench.options.epochs = 4;
  bench.options.select = Select::validation;
  // 42 images in batches of 8 are 6 steps: the weights are ruined in the third epoch.
  const auto result = bench.run(acting_at(14, collapse));
  const auto best = result.at("best_epoch").get<int>();
  EXPECT_LE(best, 2);
  EXPECT_EQ(result.at("selected_epoch"), best);
  EXPECT_EQ(result.at("validation"), result.at("validation_best"));
  EXPECT_EQ(hash_of("model.safetensors"), hash_of("best.safetensors"));
  EXPECT_NE(hash_of("model.safetensors"), hash_of("last.safetensors"));
  EXPECT_EQ(result.at("weights_sha256"), hash_of("best.safetensors"));
}

TEST_F(Train, SelectTestTakesTheLastOfEqualMeansAndNamesItsImages) {
  bench.options.epochs = 4;
  bench.options.select = Select::test;
  const auto result = bench.run(standstill);
  const auto rows = epochs();
  ASSERT_EQ(rows.size(), 4U);
  int best = 0;
  double most = -1;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double sum =
        rows[i].metrics.at("test_natural_accuracy") + rows[i].metrics.at("test_robust_accuracy");
    EXPECT_EQ(rows[i].metrics.count("validation_robust_accuracy"), 0U);
    if (sum >= most) best = static_cast<int>(i) + 1;
    most = std::max(most, sum);
  }
  EXPECT_EQ(result.at("best_epoch"), best) << "not lower is better, as in the released code";
  EXPECT_EQ(result.at("validated_on"), "test");
  EXPECT_EQ(hash_of("model.safetensors"), hash_of("best.safetensors"));
}

TEST_F(Train, ValidationHasStepsOfItsOwn) {
  bench.run();
  testing::Workbench strong, same;
  strong.options.validation_steps = 12;
  strong.options.epochs = same.options.epochs = 3;
  same.options.validation_steps = small_attack().steps;
  const auto one = strong.run(), two = same.run();
  EXPECT_EQ(strong.weights(), bench.weights());
  EXPECT_LE(one.at("validation").at("robust_accuracy"), two.at("validation").at("robust_accuracy"));
}

TEST_F(Train, PatienceStopsWithoutABetterValidation) {
  bench.options.epochs = 9;
  bench.options.patience = 2;
  bench.options.lr = 1e-12;  // nothing improves after the first epoch, or by BatchNorm alone
  const auto result = bench.run(standstill);
  const int best = result.at("best_epoch");
  EXPECT_EQ(result.at("epochs"), best + 2);
  EXPECT_TRUE(result.at("stopped_early"));
}

TEST_F(Train, ValidatesWhenDueAndAtTheEnd) {
  bench.options.epochs = 5;
  bench.options.validate_every = 2;
  bench.run();
  const auto rows = epochs();
  ASSERT_EQ(rows.size(), 5U);
  for (const std::size_t i : {0U, 2U})
    EXPECT_EQ(rows[i].metrics.count("validation_robust_accuracy"), 0U) << i;
  for (const std::size_t i : {1U, 3U, 4U})
    EXPECT_EQ(rows[i].metrics.count("validation_robust_accuracy"), 1U) << i;
}

TEST_F(Train, ACollapseStopsTheRunAndSaysHowToGoOn) {
  bench.options.alarms.on_collapse = OnAlarm::stop;
  const auto message = message_of<NumericError>([&] { bench.run(acting_at(12, collapse)); });
  for (const char* part : {"epoch 2", "one class is predicted for 100.0 %", "best.safetensors",
                           "set that alarm's option to \"warn\"", "after step 6 is kept"})
    EXPECT_NE(message.find(part), std::string::npos) << part << "\n" << message;
  const auto alarms = bench.folder.read_record().at("result").at("alarms");
  ASSERT_EQ(alarms.size(), 1U) << "a run that failed records its alarms as well";
  EXPECT_EQ(alarms[0].at("alarm"), "collapse");
  EXPECT_EQ(alarms[0].at("action"), "stop");
}

TEST_F(Train, ACollapseOnlyWarnsWhereItMay) {
  const auto result = bench.run(acting_at(12, collapse));
  ASSERT_EQ(result.at("alarms").size(), 1U);
  const auto alarm = result.at("alarms")[0];
  EXPECT_EQ(alarm.at("epochs"), 2) << "after epochs 2 and 3";
  EXPECT_EQ(alarm.at("first_epoch"), 2);
  EXPECT_EQ(alarm.at("last_epoch"), 3);
  EXPECT_EQ(result.at("warnings").size(), 1U) << "one warning while it lasts";
  const auto rows = epochs();
  EXPECT_EQ(rows[1].metrics.at("alarm_collapse"), 1);
}

TEST_F(Train, AnIncredibleScoreWarnsOrStopsWithoutValidation) {
  bench.validation = {};
  const auto far = [](const auto& model, const auto& batch, const auto& context) {
    auto got = adversarial()(model, batch, context);
    got.metrics["natural_score"] = context.epoch == 2 ? -9.5 : 1;
    return got;
  };
  const auto result = bench.run(far);
  ASSERT_EQ(result.at("alarms").size(), 1U);
  EXPECT_EQ(result.at("alarms")[0].at("alarm"), "incredible_scores");
  EXPECT_EQ(result.at("alarms")[0].at("epochs"), 1);
  const auto rows = epochs();
  for (const std::size_t i : {0U, 1U, 2U})
    EXPECT_EQ(rows[i].metrics.at("alarm_incredible_scores"), i == 1 ? 1 : 0) << i;

  testing::Workbench strict;
  strict.options.alarms.on_incredible_scores = OnAlarm::stop;
  const auto message = message_of<NumericError>([&] { strict.run(far); });
  EXPECT_NE(message.find("natural_score -9.50; beyond log(N-1) = 1.95 (N = 8)"), std::string::npos)
      << message;
  testing::Workbench deaf;
  deaf.options.alarms.on_incredible_scores = OnAlarm::off;
  EXPECT_TRUE(deaf.run(far).at("alarms").empty());
}

TEST_F(Train, OverfittingEndsTheRunEarlyWhereItShould) {
  bench.options.epochs = 8;
  bench.options.milestones = {};
  bench.options.lr = 0.1;
  bench.options.alarms.on_overfitting = OnAlarm::stop;
  // Learns for five epochs, then trains on false labels while "training accuracy" rises.
  const auto overfit = [](const auto& model, const auto& batch, const auto& context) {
    auto seen = batch;
    if (context.epoch > 5) seen.y = (batch.y + 1).remainder(testing::kClasses);
    auto got = adversarial()(model, seen, context);
    got.metrics["adversarial_accuracy"] = 0.1 * context.epoch;
    return got;
  };
  const auto result = bench.run(overfit);
  EXPECT_GT(result.at("epochs"), 5);
  EXPECT_LT(result.at("epochs"), 8);
  EXPECT_TRUE(result.at("stopped_early"));
  EXPECT_NE(result.at("warnings").back().get<std::string>().find("robust overfitting"),
            std::string::npos);
  EXPECT_EQ(hash_of("model.safetensors"), hash_of("last.safetensors"));
}

TEST_F(Train, TheFirstValidationOnlyWarnsOfACollapse) {
  bench.options.epochs = 1;
  bench.options.alarms.on_collapse = OnAlarm::stop;
  EXPECT_EQ(bench.run(acting_at(6, collapse)).at("alarms")[0].at("epochs"), 1);
}

TEST_F(Train, WarnsOnceOfEmptySelections) {
  const auto result = bench.run([](const auto& model, const auto& batch, const auto& context) {
    auto got = adversarial()(model, batch, context);
    got.metrics["mi_empty"] = 1;
    return got;
  });
  ASSERT_EQ(result.at("warnings").size(), 1U);
  EXPECT_NE(result.at("warnings")[0].get<std::string>().find("100.0 % of the batches"),
            std::string::npos);
}

TEST_F(Train, WarmUpIsNaturalTraining) {
  bench.options.warmup_epochs = 2;
  int calls = 0;
  bench.run([&](const auto& model, const auto& batch, const auto& context) {
    ++calls;
    EXPECT_EQ(context.epoch, 3U);
    return adversarial()(model, batch, context);
  });
  EXPECT_EQ(calls, 6);
}

TEST_F(Train, ANonFiniteLossNamesTheStepAndKeepsTheCheckpoint) {
  bench.options.checkpoint_every = 2;
  int calls = 0;
  const auto broken = [&](const auto& model, const auto& batch, const auto& context) {
    auto got = adversarial()(model, batch, context);
    if (++calls == 10) got.loss = got.loss * std::numeric_limits<float>::quiet_NaN();
    return got;
  };
  const auto message = message_of<NumericError>([&] { bench.run(broken); });
  EXPECT_NE(message.find("step 10 (epoch 2): loss: expected a finite number, got nan"),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("after step 8 is kept"), std::string::npos) << message;
  const auto kept = run::load_checkpoint(bench.folder / "checkpoints", "last");
  for (const auto& [name, tensor] : kept.tensors)
    EXPECT_TRUE(at::isfinite(tensor).all().item<bool>()) << name;

  testing::Workbench whole;
  whole.run();
  bench.model = small_model();
  bench.run(adversarial(), true);
  EXPECT_EQ(bench.weights(), whole.weights());
}

TEST_F(Train, AnInfiniteWeightIsNamed) {
  const auto ruin = [](const models::Classifier& model) {
    const at::NoGradGuard no_grad;
    find_tensor(model.state_dict(), "fc1.weight").detach()[0][0] =
        std::numeric_limits<float>::infinity();
  };
  const auto clean = [](const auto& model, const auto& batch, const auto&) {
    return defenses::natural(model, batch);
  };
  const auto message = message_of<NumericError>([&] { bench.run(acting_at(9, ruin, clean)); });
  EXPECT_NE(message.find("step 9 (epoch 2)"), std::string::npos) << message;
  EXPECT_NE(message.find("weight fc1.weight is not finite"), std::string::npos) << message;
}

TEST_F(Train, TheAverageIsValidatedAndSaved) {
  testing::Workbench plain;
  plain.run();
  bench.options.ema = 0.9;
  bench.run();
  EXPECT_NE(bench.weights(), plain.weights());
  EXPECT_EQ(hash_of("model.safetensors"), bench.weights());
  const auto kept = run::load_checkpoint(bench.folder / "checkpoints", "last");
  const auto raw = find_tensor(kept.tensors, "model.fc1.weight");
  EXPECT_TRUE(at::equal(raw, find_tensor(plain.model.state_dict(), "fc1.weight")))
      << "the average changes no step";
  EXPECT_TRUE(at::equal(find_tensor(kept.tensors, "average.fc1.weight"),
                        find_tensor(bench.model.state_dict(), "fc1.weight")));
}

TEST_F(Train, TakesBatchesOfOneAndALastPartialBatch) {
  bench.training = separable(5);
  bench.options.batch_size = 1;
  bench.options.epochs = 1;
  EXPECT_EQ(bench.run().at("steps"), 5);
  testing::Workbench partial;
  partial.training = separable(11);
  partial.options.epochs = 1;
  EXPECT_EQ(partial.run().at("steps"), 2);
}

TEST_F(Train, RefusesWhatItCannotDo) {
  const auto refusal = [](auto change) {
    testing::Workbench fresh;
    change(fresh);
    return message_of<OptionError>([&] { fresh.run(); });
  };
  const auto expect = [](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  expect(refusal([](auto& b) {
           b.options.profile = Profile::reference;
           b.options.defense = defenses::Defense::namid_t;
         }),
         "[train] profile: the released code has no namid-t");
  expect(refusal([](auto& b) { b.options.epochs = 0; }), "[train] epochs: expected ≥ 1, got 0");
  expect(refusal([](auto& b) { b.options.lr = 0; }), "[train] lr: expected > 0, got 0");
  expect(refusal([](auto& b) { b.options.milestones = {0}; }), "[train] milestones");
  expect(refusal([](auto& b) { b.options.ema = 1; }), "[train] ema");
  expect(refusal([](auto& b) {
           b.validation = {};
           b.options.select = Select::validation;
         }),
         "[train] select");
  expect(refusal([](auto& b) {
           b.validation = {};
           b.options.select = Select::test;
         }),
         "[train] select: 'test' needs the test images");
  expect(refusal([](auto& b) {
           b.validation = {};
           b.options.patience = 3;
         }),
         "[train] patience");
  expect(refusal([](auto& b) { b.training.num_classes = 4; }), "does not fit the model");
}

}  // namespace
}  // namespace namid::train
