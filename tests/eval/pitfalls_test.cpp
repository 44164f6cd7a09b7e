// SPDX-License-Identifier: Apache-2.0
// Defects of published evaluation code, each with a test that namid does not have it. Which one
// each test stands for: docs/pitfalls.md.
#include <signal.h>

#include <optional>
#include <set>

#include "eval/toy.h"
#include "namid/core/error.h"
#include "support/temp_folder.h"

namespace namid::eval {
namespace {

using json = nlohmann::json;

/// Five classes on toy images, each row summed on its own.
models::Classifier five_classes() {
  const auto k = at::arange(30, at::kFloat).view({5, 6});
  const auto weight = (k * 0.7 + 0.3).sin();
  return model_of([=](const at::Tensor& x) { return (x.flatten(1).unsqueeze(1) * weight).sum(2); },
                  5);
}

/// AutoAttack's four attacks, made quick.
Suite quick_autoattack(double epsilon) {
  return make_suite(
      {.suite = "apgd-ce(steps=4), apgd-t(steps=4), fab-t(steps=3), square(queries=20)"},
      {.budget = {.epsilon = epsilon}});
}

class EvaluationPitfalls : public ::testing::Test {
 protected:
  json run(const models::Classifier& model, const Suite& suite, const std::string& folder,
           bool resume = false) {
    std::filesystem::create_directories(temp_ / folder);
    return evaluate_with({.model = model,
                          .dataset = dataset_,
                          .options = options_,
                          .folder = temp_ / folder,
                          .resume = resume,
                          .stop = &*stop_,
                          .progress = progress_},
                         suite);
  }
  Ledger ledger(const std::string& folder) const {
    return Ledger::open(temp_ / folder / "ledger.sqlite");
  }

  testing::TempFolder temp_;
  data::Dataset dataset_ = toy_data(40, 5);
  EvaluateOptions options_ = {.seed = 3, .compute_batch = 4, .gallery = 2};
  std::optional<run::StopToken> stop_{std::in_place};
  std::function<void(const std::string&, std::int64_t, std::int64_t)> progress_;
};

TEST_F(EvaluationPitfalls, AutoAttackResumesInEveryStageToTheSameLedger) {
  const auto model = five_classes();
  dataset_ = toy_data(16, 5);
  dataset_.labels = model(dataset_.images.to(at::kFloat) / 255).argmax(1);
  const auto suite = quick_autoattack(0.02);
  std::vector<std::string> stages;
  progress_ = [&](const std::string& stage, std::int64_t, std::int64_t) {
    if (stages.empty() || stages.back() != stage) stages.push_back(stage);
  };
  const auto whole = run(model, suite, "whole");
  ASSERT_EQ(stages.size(), 1u + 1 + 4 + 4 + 1) << "each has samples left to attack";
  for (const std::string at : {"natural", "apgd-ce", "apgd-t 2/4", "fab-t 3/4", "square"}) {
    SCOPED_TRACE(at);
    progress_ = [&](const std::string& stage, std::int64_t done, std::int64_t) {
      if (stage == at && done >= 4) stop_->request(SIGTERM);
    };
    EXPECT_THROW(run(model, suite, at), run::Interrupted);
    stop_.emplace();
    progress_ = {};
    const auto resumed = run(model, suite, at, true);
    EXPECT_EQ(resumed["robust"], whole["robust"]);
    EXPECT_EQ(ledger(at).samples(), ledger("whole").samples());
    for (const auto& attack : suite.attacks)
      EXPECT_EQ(timeless(ledger(at).attempts(attack.name)),
                timeless(ledger("whole").attempts(attack.name)));
  }
}

TEST_F(EvaluationPitfalls, NoRunOfASuiteReadsOrSeedsTheGlobalGenerator) {
  at::manual_seed(5);
  const auto expected = at::rand({4});
  at::manual_seed(5);
  run(five_classes(), quick_autoattack(0.1), "run");
  EXPECT_TRUE(at::equal(at::rand({4}), expected));
}

TEST_F(EvaluationPitfalls, AutoAttackHasItsFourAttacksInEveryNorm) {
  for (const auto norm : {attacks::Norm::linf, attacks::Norm::l2, attacks::Norm::l1}) {
    const auto suite = make_suite({.suite = "autoattack"}, {.budget = {norm, 0.5}});
    EXPECT_EQ(suite.combine, Combine::worst_case);
    std::string names;
    for (const auto& attack : suite.attacks) {
      names += attack.name + " ";
      EXPECT_EQ(attack.budget.norm, norm);
      EXPECT_EQ(attack.budget.epsilon, 0.5);
      const bool square = attack.name == "square";
      EXPECT_HAS(attack.options, square ? "queries=5000" : "steps=100");
    }
    EXPECT_EQ(names, "apgd-ce apgd-t fab-t square ");
  }
}

TEST_F(EvaluationPitfalls, NoAttackIsBelievedThatLeavesTheBallOrTheBox) {
  dataset_ = toy_data(40);
  const auto forged = [&](double epsilon, double step, bool clipped) {
    return forged_attack(epsilon, true, [=](const at::Tensor& x, const at::Tensor& y) {
      const auto away = (1 - 2 * y).to(at::kFloat).view({-1, 1, 1, 1});
      const auto x_adv = x + away * toy_weight().sign().view({1, 1, 2, 3}) * step;
      return clipped ? x_adv.clamp(0, 1) : x_adv;
    });
  };
  const auto natural = run(toy_model(), {.attacks = {forged(0.8, 0, true)}}, "still")["natural"];
  const auto correct = natural["correct"].get<std::int64_t>();
  ASSERT_GT(correct, 0);
  const auto robust = [&](const AttackEntry& attack, const std::string& folder) {
    return run(toy_model(), {.attacks = {attack}}, folder)["robust"]["correct"].get<std::int64_t>();
  };
  EXPECT_EQ(robust(forged(0.8, 0.8, true), "inside"), 0);
  EXPECT_EQ(robust(forged(0.2, 0.8, true), "ball"), correct) << "too far";
  EXPECT_EQ(robust(forged(0.8, 0.8, false), "box"), correct) << "not clipped to [0,1]";
}

TEST_F(EvaluationPitfalls, RobustAccuracyIsOverAllSamplesAndOverTheWorstAttackOfEach) {
  dataset_ = toy_data(40);
  const Suite suite{.attacks = {noise_attack(0.2, "a"), noise_attack(0.2, "b")}};
  const auto result = run(toy_model(), suite, "run");
  std::set<std::uint64_t> lost;
  for (const auto& row : ledger("run").samples())
    if (!row.correct) lost.insert(row.sample);
  const auto errors = lost.size();
  ASSERT_GT(errors, 0u);
  for (const auto* name : {"a", "b"})
    for (const auto& row : ledger("run").attempts(name))
      if (row.success) lost.insert(row.sample);
  ASSERT_GT(lost.size(), errors);
  EXPECT_DOUBLE_EQ(result["robust"]["accuracy"], 1 - static_cast<double>(lost.size()) / 40);
  EXPECT_LT(result["robust"]["correct"], result["attacks"][0]["robust"]["correct"]);
  EXPECT_LT(result["robust"]["correct"], result["attacks"][1]["robust"]["correct"]);
}

}  // namespace
}  // namespace namid::eval
