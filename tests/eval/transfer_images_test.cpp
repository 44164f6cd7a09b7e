// SPDX-License-Identifier: Apache-2.0
// Images made once and judged on several targets: the ledgers of evaluations that make their own.
#include "namid/eval/transfer_images.h"

#include <nlohmann/json.hpp>

#include "eval/toy.h"
#include "namid/eval/ledger_diff.h"
#include "namid/eval/surrogate.h"
#include "support/files.h"
#include "support/temp_folder.h"

namespace namid::eval {
namespace {

using testing::bytes_of;

models::Classifier tilted_model(double tilt, int* rows = nullptr) {
  const auto weight = toy_weight() + tilt * at::tensor({1.f, 0.f, -1.f, 0.5f, 0.f, 1.f});
  return models::Classifier(
      [weight, rows](const at::Tensor& x) {
        if (rows != nullptr && x.requires_grad()) *rows += static_cast<int>(x.size(0));
        const auto z = (x.flatten(1) * weight).sum(1) + kToyBias;
        return at::stack({at::zeros_like(z), z}, 1);
      },
      {.name = "tilted", .num_classes = 2, .input_shape = {1, 2, 3}}, {weight});
}

class TransferImagesTest : public ::testing::Test {
 protected:
  Bench bench(const models::Classifier& surrogate) const {
    return {.model = surrogate, .dataset = dataset_, .compute_batch = kBatch};
  }
  std::shared_ptr<TransferImages> open(const models::Classifier& surrogate) {
    return std::make_shared<TransferImages>(temp_ / "images.sqlite", bench(surrogate), suite_);
  }
  /// The evaluation of a target; its ledger is at folder / "ledger.sqlite".
  nlohmann::json run(const models::Classifier& target, const Suite& suite,
                     const std::string& folder, int batch_size = 1024) {
    std::filesystem::create_directories(temp_ / folder);
    return evaluate_with(
        {.model = target,
         .dataset = dataset_,
         .options = {.compute_batch = kBatch, .batch_size = batch_size, .gallery = 3},
         .folder = temp_ / folder},
        suite);
  }
  std::string ledger(const std::string& folder) const {
    return bytes_of(temp_ / folder / "ledger.sqlite");
  }

  static constexpr int kBatch = 16;
  testing::TempFolder temp_;
  data::Dataset dataset_ = toy_data(60);
  models::Classifier surrogate_ = tilted_model(0.4);
  std::vector<models::Classifier> targets_ = {toy_model(), tilted_model(0.8), tilted_model(0.4)};
  Suite suite_ =
      make_suite({.suite = "pgd(steps=5, restarts=2), mi-fgsm(steps=3), square(queries=9)"},
                 {.budget = {attacks::Norm::linf, 0.05}});
};

TEST_F(TransferImagesTest, EveryTargetsLedgerIsThatOfAnEvaluationOfItsOwn) {
  const auto shared = through_images(suite_, open(surrogate_));
  const auto alone = through_surrogate(suite_, surrogate_);
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    const auto of_shared = run(targets_[i], shared, str("shared-", i));
    const auto of_alone = run(targets_[i], alone, str("alone-", i));
    EXPECT_EQ(ledger(str("shared-", i)), ledger(str("alone-", i)))
        << to_text(diff(Ledger::open(temp_ / str("shared-", i) / "ledger.sqlite"),
                        Ledger::open(temp_ / str("alone-", i) / "ledger.sqlite")),
                   5);
    EXPECT_EQ(of_shared.at("robust"), of_alone.at("robust"));
    EXPECT_LT(of_shared.at("robust").at("correct"), of_shared.at("natural").at("correct"));
  }
}

TEST_F(TransferImagesTest, WorstCaseLeavesOutWhatTheTargetLostAndIsEqualToo) {
  suite_.combine = Combine::worst_case;
  const auto shared = through_images(suite_, open(surrogate_));
  for (const int i : {0, 1}) {
    run(targets_[static_cast<std::size_t>(i)], shared, str("shared-", i));
    run(targets_[static_cast<std::size_t>(i)], through_surrogate(suite_, surrogate_),
        str("alone-", i));
    EXPECT_EQ(ledger(str("shared-", i)), ledger(str("alone-", i)));
  }
}

TEST_F(TransferImagesTest, BatchSizeAndTheOrderOfTargetsChangeNothing) {
  const auto first = through_images(suite_, open(surrogate_));
  for (const int i : {0, 1}) run(targets_[static_cast<std::size_t>(i)], first, str("first-", i));
  std::filesystem::remove(temp_ / "images.sqlite");
  const auto second = through_images(suite_, open(surrogate_));
  for (const int i : {1, 0})
    run(targets_[static_cast<std::size_t>(i)], second, str("second-", i), 7);
  for (const int i : {0, 1}) EXPECT_EQ(ledger(str("first-", i)), ledger(str("second-", i)));
}

TEST_F(TransferImagesTest, FurtherTargetsCostTheSurrogateLittleAndRepeatedOnesNothing) {
  int rows = 0;
  const auto counted = tilted_model(0.4, &rows);
  suite_ = make_suite({.suite = "pgd(steps=5)"}, {.budget = {attacks::Norm::linf, 0.05}});
  const auto images = open(counted);
  const auto shared = through_images(suite_, images);
  for (std::size_t i = 0; i < targets_.size(); ++i) run(targets_[i], shared, str("t-", i));
  const int full_batches = (60 + kBatch - 1) / kBatch;
  EXPECT_EQ(rows, full_batches * kBatch * 5) << "each image once, whatever the number of targets";
  EXPECT_EQ(images->made(), 60);
  run(targets_[0], shared, "again");
  EXPECT_EQ(rows, full_batches * kBatch * 5);
  EXPECT_EQ(ledger("again"), ledger("t-0"));
}

TEST_F(TransferImagesTest, WhatWasStoredIsTakenUpAgainAndAForeignFileIsRefused) {
  {
    const auto shared = through_images(suite_, open(surrogate_));
    run(targets_[0], shared, "before");
  }
  int rows = 0;
  const auto again = open(tilted_model(0.4, &rows));
  run(targets_[0], through_images(suite_, again), "after");
  EXPECT_EQ(again->made(), 0);
  EXPECT_EQ(rows, 0);
  EXPECT_EQ(ledger("before"), ledger("after"));

  EXPECT_HAS(message_of<DataError>([&] { open(tilted_model(0.3)); }), "surrogate differs");
  const auto own = suite_;
  suite_ = make_suite({.suite = "pgd(steps=6), mi-fgsm(steps=3), square(queries=9)"},
                      {.budget = {attacks::Norm::linf, 0.05}});
  EXPECT_HAS(message_of<DataError>([&] { open(surrogate_); }), "attack pgd differs");
  suite_ = own;
  suite_.precision = "bfloat16";
  EXPECT_HAS(message_of<DataError>([&] { open(surrogate_); }), "precision differs");
  suite_ = own;
  dataset_.labels = 1 - dataset_.labels;
  EXPECT_HAS(message_of<DataError>([&] { open(surrogate_); }), "data differs");
}

TEST_F(TransferImagesTest, WhatDependsOnTheTargetsBatchesIsMadeAnewAndEqual) {
  suite_ = make_suite({.suite = "apgd-ce(steps=3)", .compat = attacks::Compat::autoattack},
                      {.budget = {attacks::Norm::linf, 0.05}});
  const auto images = open(surrogate_);
  run(targets_[0], through_images(suite_, images), "shared");
  run(targets_[0], through_surrogate(suite_, surrogate_), "alone");
  EXPECT_EQ(images->made(), 0);
  EXPECT_EQ(ledger("shared"), ledger("alone"));
}

}  // namespace
}  // namespace namid::eval
