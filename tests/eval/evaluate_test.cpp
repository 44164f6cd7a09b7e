// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/evaluate.h"

#include <nlohmann/json.hpp>

#include "eval/toy.h"
#include "namid/core/error.h"
#include "support/temp_folder.h"

namespace namid::eval {
namespace {

const attacks::PgdOptions kAttack = {.budget = {.epsilon = 0.1}, .steps = 5};

TEST(Evaluate, WritesLedgerAndGalleryIntoTheRunFolder) {
  const testing::TempFolder temp;
  const auto folder = run::RunFolder::create(temp.path(), "evaluate", "pgd-5");
  const auto dataset = toy_data(30);
  const EvaluateOptions options{.compute_batch = 8, .gallery = 2};
  const auto result =
      evaluate(toy_model(), dataset, kAttack, options, folder, nullptr, false, false);
  EXPECT_EQ(result["n"], 30);
  EXPECT_EQ(result["attacks"][0]["name"], "pgd-5");
  EXPECT_TRUE(std::filesystem::exists(folder / "gallery.safetensors"));
  const auto ledger = Ledger::open(folder / "ledger.sqlite");
  EXPECT_EQ(ledger.attempts("pgd-5").size(), result["natural"]["correct"].get<std::size_t>());
  EXPECT_HAS(ledger.identity().at("attack pgd-5"), "epsilon=0.1");
  EXPECT_EQ(evaluate(toy_model(), dataset, kAttack, options, folder, nullptr, true, false), result);
}

TEST(QuickAccuracy, AgreesWithTheEvaluation) {
  const testing::TempFolder temp;
  const auto folder = run::RunFolder::create(temp.path(), "evaluate", "pgd-5");
  const auto dataset = toy_data(30);
  const auto result = evaluate(toy_model(), dataset, kAttack, {.seed = 9, .compute_batch = 8},
                               folder, nullptr, false, false);
  for (const int compute_batch : {1, 7, 8, 64}) {
    const auto quick = quick_accuracy(toy_model(), dataset, kAttack, 9, compute_batch);
    EXPECT_EQ(quick.natural, result["natural"]["accuracy"]) << compute_batch;
    EXPECT_EQ(quick.robust, result["robust"]["accuracy"]) << compute_batch;
  }
}

TEST(QuickAccuracy, LeavesTheModelInItsMode) {
  const auto model = toy_model();
  model.train();
  quick_accuracy(model, toy_data(5), kAttack, 0, 4);
  EXPECT_TRUE(model.is_training());
}

TEST(QuickAccuracy, ShowsACollapsedModel) {
  const auto constant = model_of([](const at::Tensor& x) {
    return at::stack({x.flatten(1).sum(1) * 0 + 1, x.flatten(1).sum(1) * 0}, 1) * 3;
  });
  const auto quick = quick_accuracy(constant, toy_data(30), kAttack, 0, 16);
  EXPECT_EQ(quick.largest_class_share, 1);
  EXPECT_EQ(quick.natural, 0.5);
  EXPECT_EQ(quick.robust, 0.5);
  const auto sound = quick_accuracy(toy_model(), toy_data(30), kAttack, 0, 16);
  EXPECT_LT(sound.largest_class_share, 1);
}

TEST(QuickAccuracy, StopsAndRefuses) {
  run::StopToken stop;
  stop.request(2);
  EXPECT_THROW(quick_accuracy(toy_model(), toy_data(5), kAttack, 0, 4, &stop), run::Interrupted);
  EXPECT_THROW(quick_accuracy(toy_model(), toy_data(5), kAttack, 0, 0), OptionError);
  EXPECT_THROW(quick_accuracy(toy_model(), toy_data(0), kAttack, 0, 4), OptionError);
  EXPECT_THROW(quick_accuracy(toy_model(), toy_data(5, 3), kAttack, 0, 4), OptionError);
}

}  // namespace
}  // namespace namid::eval
