// SPDX-License-Identifier: Apache-2.0
// A verdict depends on the sample and the seed alone: ledgers are compared byte by byte.
#include <algorithm>
#include <fstream>
#include <numeric>

#include "eval/toy.h"
#include "namid/eval/evaluation.h"
#include "namid/eval/ledger_diff.h"
#include "namid/eval/ledger_merge.h"
#include "namid/eval/self_test.h"
#include "namid/models/registry.h"
#include "support/files.h"
#include "support/temp_folder.h"

namespace namid::eval {
namespace {

using testing::bytes_of;

data::Dataset images(std::int64_t count) {
  auto dataset = toy_data(count, 4);
  const auto k = at::arange(count * 64, at::kLong);
  dataset.images = ((k * k * 7 + k * 29) % 200 + 20).to(at::kByte).view({count, 1, 8, 8});
  return dataset;
}

class InvarianceTest : public ::testing::Test {
 protected:
  InvarianceTest() {
    model_ = models::create({.model = "small_cnn", .width = 4}, {1, 8, 8}, 4, 1);
    const at::NoGradGuard no_grad;
    std::vector<std::int64_t> all(24);
    std::iota(all.begin(), all.end(), 0);
    model_.train();
    for (int pass = 0; pass < 60; ++pass)  // until BatchNorm's statistics are those of the data
      model_(data::make_batch(dataset_, all).x);
    model_.train(false);
    dataset_.labels = model_(data::make_batch(dataset_, all).x).argmax(1);
    dataset_.labels[5] = (dataset_.labels[5] + 1) % 4;
  }

  /// The folder of an evaluation with these options.
  std::filesystem::path run(const std::string& name, EvaluateOptions options,
                            const data::Dataset& dataset) {
    options.seed = 3;
    options.gallery = 5;
    if (options.compute_batch == EvaluateOptions{}.compute_batch) options.compute_batch = 16;
    const auto folder = temp_ / name;
    std::filesystem::create_directories(folder);
    const auto suite =
        make_suite({.suite = "pgd(steps=5, restarts=3), apgd-ce(steps=5), square(queries=20)",
                    .combine = Combine::worst_case},
                   {.budget = {.epsilon = 0.03}});
    evaluate_with({.model = model_, .dataset = dataset, .options = options, .folder = folder},
                  suite);
    return folder;
  }
  std::string ledger(const std::string& name, const EvaluateOptions& options) {
    return bytes_of(run(name, options, dataset_) / "ledger.sqlite");
  }

  testing::TempFolder temp_;
  data::Dataset dataset_ = images(24);
  models::Classifier model_;
};

TEST_F(InvarianceTest, LedgersAreByteEqualForAnyBatchSizeAndOrder) {
  const auto expected = ledger("whole", {.batch_size = 256});
  const auto held = Ledger::open(temp_ / "whole" / "ledger.sqlite");
  EXPECT_GT(held.attempts("square").size(), 3u) << "some hold out";
  EXPECT_LT(held.attempts("square").size(), 23u) << "some do not";
  for (const int batch_size : {1, 7})
    EXPECT_EQ(ledger(str("batch-", batch_size), {.batch_size = batch_size}), expected)
        << batch_size;
  EXPECT_EQ(ledger("random", {.batch_size = 7, .order = Order::random}), expected);
  std::vector<std::int64_t> reversed(24);
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  EXPECT_EQ(bytes_of(run("reversed", {}, dataset_.rows(reversed)) / "ledger.sqlite"), expected);
}

TEST_F(InvarianceTest, MergedShardsAreTheWholeByteForByte) {
  const auto expected = ledger("whole", {});
  const auto one = run("one", {.batch_size = 7, .shard = "1/2"}, dataset_) / "ledger.sqlite";
  const auto two = run("two", {.shard = "2/2"}, dataset_) / "ledger.sqlite";
  merge_ledgers({two, one}, temp_ / "merged.sqlite");
  EXPECT_EQ(bytes_of(temp_ / "merged.sqlite"), expected);
  EXPECT_HAS(message_of<DataError>([&] { merge_ledgers({one}, temp_ / "m.sqlite"); }),
             "shard 2 of 2 is missing");
  EXPECT_HAS(message_of<DataError>([&] {
               merge_ledgers({one, one}, temp_ / "m.sqlite");
             }),
             "given twice");
  EXPECT_HAS(message_of<DataError>(
                 [&] { merge_ledgers({temp_ / "whole" / "ledger.sqlite"}, temp_ / "m.sqlite"); }),
             "not of a shard");
  EXPECT_HAS(message_of<OptionError>([&] { merge_ledgers({one, two}, one); }), "there already");
  EXPECT_FALSE(std::filesystem::exists(temp_ / "m.sqlite"));
}

TEST_F(InvarianceTest, DiffFindsNothingBetweenEqualAndNamesWhatDiffers) {
  const auto a = run("a", {}, dataset_), b = run("b", {.batch_size = 7}, dataset_);
  const auto open = [](const auto& folder) { return Ledger::open(folder / "ledger.sqlite"); };
  EXPECT_TRUE(diff(open(a), open(b)).empty());
  EXPECT_EQ(to_text(diff(open(a), open(b)), 5), "equal\n");
  const auto fast = diff(open(a), open(run("fast", {.fast = true}, dataset_)));
  EXPECT_FALSE(fast.empty());
  ASSERT_EQ(fast.identity.size(), 1u);
  EXPECT_EQ(fast.identity[0], "batch: 'padded 16' against 'fast'");
  EXPECT_EQ(fast.samples_only_a + fast.samples_only_b, 0);
  EXPECT_TRUE(fast.discordant.empty()) << "the same draws, and no sample on the boundary";
  const auto last = open(a).attempts("square");
  const auto robust =
      std::find_if(last.begin(), last.end(), [](const auto& row) { return !row.success; });
  ASSERT_NE(robust, last.end());
  const auto row = static_cast<std::int64_t>(robust->sample - 1000);
  dataset_.labels[row] = (dataset_.labels[row] + 1) % 4;
  const auto other = diff(open(a), open(run("other", {}, dataset_)));
  EXPECT_EQ(other.samples_differ, 1);
  ASSERT_EQ(other.discordant.size(), 1u);
  EXPECT_EQ(other.discordant[0].sample, robust->sample);
  EXPECT_EQ(other.discordant[0].b, "misclassified");
  EXPECT_HAS(to_text(other, 5), str("sample ", robust->sample, ": robust against misclassified"));
}

TEST_F(InvarianceTest, SelfTestPassesOnSoundModelsAndFindsMixing) {
  for (const int compute_batch : {1, 5, 16})
    EXPECT_TRUE(self_test(model_, dataset_, compute_batch).passed()) << compute_batch;
  const models::Classifier mixing(
      [&](const at::Tensor& x) {
        const auto z = model_(x);
        return z + 1e-3 * z.mean();
      },
      {.name = "mixing", .num_classes = 4, .input_shape = {1, 8, 8}});
  const auto found = self_test(mixing, dataset_, 16);
  EXPECT_FALSE(found.neighbours_equal);
  EXPECT_GT(found.largest_difference, 0);
  const models::Classifier placed(
      [&](const at::Tensor& x) {
        return model_(x) + 1e-3 * at::arange(x.size(0), at::kFloat).unsqueeze(1);
      },
      {.name = "placed", .num_classes = 4, .input_shape = {1, 8, 8}});
  EXPECT_FALSE(self_test(placed, dataset_, 16).slots_equal);
}

}  // namespace
}  // namespace namid::eval
