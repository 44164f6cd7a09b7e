// SPDX-License-Identifier: Apache-2.0
#include "namid/train/loop.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "namid/train/checkpoints.h"
#include "train/workbench.h"

namespace namid::train {
namespace {

using testing::message_of;
using testing::separable;

/// Adds up what it sees; asks for a stop, or breaks, at a chosen step.
struct Recorder final : Trainable {
  std::vector<SampleIds> batches;
  std::vector<std::uint32_t> epochs;
  at::Tensor sum = at::zeros({1}, at::kDouble);
  run::StopToken* stop = nullptr;
  std::int64_t stop_at = 0, break_at = 0;
  int interrupt_end_of = 0, stop_after_epoch = 0;
  std::vector<int> begun, ended;

  void begin_epoch(int epoch) override { begun.push_back(epoch); }
  Metrics step(const data::Batch& batch, const attacks::Context& context,
               const Position& position) override {
    EXPECT_EQ(context.ids, batch.ids);
    batches.push_back(batch.ids);
    epochs.push_back(context.epoch);
    sum += batch.x.sum().to(at::kDouble) * static_cast<double>(position.step);
    if (position.step == break_at) sum.fill_(std::numeric_limits<double>::quiet_NaN());
    if (position.step == stop_at) stop->request(15);
    return {{"loss", batch.x.mean().item<double>()}};
  }
  EpochEnd end_epoch(const Position& position, const Metrics&) override {
    if (position.epoch == interrupt_end_of) throw run::Interrupted(2);
    ended.push_back(position.epoch);
    return {.metrics = {{"extra", 1}}, .stop = position.epoch == stop_after_epoch};
  }
  run::Checkpoint state() const override { return {{{"sum", sum}}, {{"note", "x"}}}; }
  void load_state(const run::Checkpoint& checkpoint) override {
    EXPECT_EQ(checkpoint.state.at("note"), "x");
    sum = find_tensor(checkpoint.tensors, "sum").clone();
  }
};

struct Loop : ::testing::Test {
  ::namid::testing::TempFolder temp;
  run::RunFolder folder = run::RunFolder::create(temp.path(), "train", "loop");
  data::Dataset data = separable(23);
  LoopOptions options{.epochs = 3, .batch_size = 5, .seed = 4};
  run::StopToken stop;

  LoopResult run(Recorder& work, bool resume = false) {
    work.stop = &stop;
    return run_epochs(work, data, options, {folder, &stop, resume, false});
  }
  std::vector<run::MetricsRow> rows() const { return run::read_metrics(folder.path()); }
};

TEST_F(Loop, VisitsEveryImageOncePerEpochInTheStreamsOrder) {
  Recorder work;
  const auto result = run(work);
  EXPECT_EQ(result.epochs, 3);
  EXPECT_EQ(result.steps, 15);
  ASSERT_EQ(work.batches.size(), 15U);
  EXPECT_EQ(work.batches[4].size(), 3U) << "the last, smaller batch is used";
  const Random order(4, "train/order");
  for (std::uint32_t epoch = 1; epoch <= 3; ++epoch) {
    SampleIds seen, expected;
    for (std::size_t b = 5 * (epoch - 1); b < 5 * epoch; ++b) {
      EXPECT_EQ(work.epochs[b], epoch);
      seen.insert(seen.end(), work.batches[b].begin(), work.batches[b].end());
    }
    for (const auto index : order.permutation(23, epoch)) expected.push_back(data.ids[index]);
    EXPECT_EQ(seen, expected);
  }
  EXPECT_EQ(work.begun, (std::vector{1, 2, 3}));
  EXPECT_EQ(work.ended, (std::vector{1, 2, 3}));
}

TEST_F(Loop, CountsBatches) {
  const auto count = [](std::int64_t samples, int batch_size, bool drop_last) {
    return batches_per_epoch(samples, {.batch_size = batch_size, .drop_last = drop_last});
  };
  EXPECT_EQ(count(23, 5, false), 5);
  EXPECT_EQ(count(23, 5, true), 4);
  EXPECT_EQ(count(21, 5, false), 4) << "one image alone has no batch statistics";
  EXPECT_EQ(count(4, 5, false), 1);
  EXPECT_EQ(count(4, 5, true), 0);
  EXPECT_EQ(count(3, 1, false), 3);
  EXPECT_EQ(count(0, 5, false), 0);
}

TEST_F(Loop, WritesARowPerStepAndPerEpoch) {
  Recorder work;
  run(work);
  const auto written = rows();
  ASSERT_EQ(written.size(), 18U);
  EXPECT_EQ(written[0].kind, "step");
  EXPECT_EQ(written[0].step, 1);
  EXPECT_DOUBLE_EQ(written[0].epoch, 0.2);
  double weighted = 0;
  for (std::size_t i = 0; i < 5; ++i)
    weighted += written[i].metrics.at("loss") * static_cast<double>(work.batches[i].size()) / 23;
  EXPECT_EQ(written[5].kind, "epoch");
  EXPECT_NEAR(written[5].metrics.at("loss"), weighted, 1e-12);
  EXPECT_EQ(written[5].metrics.at("extra"), 1);
  EXPECT_EQ(written[5].metrics.count("seconds"), 1U);
}

TEST_F(Loop, AnInterruptedAndResumedRunSeesTheSameSteps) {
  Recorder whole;
  run(whole);
  const auto expected = rows();
  for (std::int64_t k = 1; k < 15; ++k) {
    folder = run::RunFolder::create(temp.path(), "train", "loop");
    stop.request(0);
    Recorder first, second;
    first.stop_at = k;
    EXPECT_THROW(run(first), run::Interrupted) << k;
    EXPECT_EQ(first.batches.size(), static_cast<std::size_t>(k)) << "the step was finished";
    stop.request(0);
    const auto result = run(second, true);
    EXPECT_EQ(result.steps, 15);
    EXPECT_EQ(second.sum.item<double>(), whole.sum.item<double>()) << k;
    const auto got = rows();
    ASSERT_EQ(got.size(), expected.size()) << k;
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].kind, expected[i].kind);
      EXPECT_EQ(got[i].step, expected[i].step);
      EXPECT_EQ(got[i].metrics.at("loss"), expected[i].metrics.at("loss")) << k << " " << i;
    }
  }
}

TEST_F(Loop, GoesOnInsideTheEndOfAnEpoch) {
  Recorder whole, first, second;
  run(whole);
  folder = run::RunFolder::create(temp.path(), "train", "loop");
  first.interrupt_end_of = 2;
  EXPECT_THROW(run(first), run::Interrupted);
  run(second, true);
  EXPECT_EQ(second.batches.size(), 5U) << "the second epoch's steps are not repeated";
  EXPECT_EQ(second.ended, (std::vector{2, 3}));
  EXPECT_EQ(second.sum.item<double>(), whole.sum.item<double>());
}

TEST_F(Loop, StopsWhereTheWorkSaysAndStaysStopped) {
  Recorder work, again;
  work.stop_after_epoch = 2;
  EXPECT_EQ(run(work).epochs, 2);
  const auto result = run(again, true);
  EXPECT_TRUE(again.batches.empty());
  EXPECT_EQ(result.steps, 10);
}

TEST_F(Loop, ADamagedNewestCheckpointFallsBackToThePrevious) {
  Recorder whole, first, second;
  run(whole);
  folder = run::RunFolder::create(temp.path(), "train", "loop");
  options.checkpoint_every = 2;
  first.stop_at = 9;
  EXPECT_THROW(run(first), run::Interrupted);
  std::ofstream(folder / "checkpoints/last.safetensors", std::ios::trunc) << "damaged";
  EXPECT_NE(Checkpoints(folder.path()).kept().find("after step 8"), std::string::npos);
  stop.request(0);
  run(second, true);
  EXPECT_EQ(second.batches.size(), 7U);
  EXPECT_EQ(second.sum.item<double>(), whole.sum.item<double>());
  EXPECT_EQ(rows().size(), 18U);
}

TEST_F(Loop, ResumingWithoutACheckpointStartsFromTheBeginning) {
  Recorder work;
  EXPECT_EQ(run(work, true).steps, 15);
  EXPECT_EQ(work.batches.size(), 15U);
}

TEST_F(Loop, KeepsTheStateBeforeANumericError) {
  Recorder broken, second;
  options.checkpoint_every = 2;
  broken.break_at = 8;
  const auto message = message_of<NumericError>([&] { run(broken); });
  EXPECT_NE(message.find("[train] step 8 (epoch 2)"), std::string::npos) << message;
  EXPECT_NE(message.find("sum is not finite"), std::string::npos) << message;
  EXPECT_NE(message.find("after step 6 is kept"), std::string::npos) << message;
  Recorder whole;
  run(second, true);
  folder = run::RunFolder::create(temp.path(), "train", "loop");
  run(whole);
  EXPECT_EQ(second.sum.item<double>(), whole.sum.item<double>());
}

TEST_F(Loop, RefusesACheckpointOfAnotherRun) {
  Recorder work, other;
  run(work);
  options.batch_size = 6;
  const auto message = message_of<OptionError>([&] { run(other, true); });
  EXPECT_EQ(message, "[train] batch_size: the checkpoint was made with 5, got 6");
  options.batch_size = 5;
  data = separable(24);
  EXPECT_NE(message_of<OptionError>([&] { run(other, true); }).find("samples"), std::string::npos);
}

TEST_F(Loop, RefusesDataThatGivesNoBatch) {
  Recorder work;
  data = separable(4);
  options.drop_last = true;
  const auto message = message_of<OptionError>([&] { run(work); });
  EXPECT_NE(message.find("got batch_size 5 and 4 images"), std::string::npos) << message;
}

TEST_F(Loop, AugmentationDrawsBelongToTheEpochAndTheSample) {
  Recorder plain, augmented, again;
  run(plain);
  options.augment = true;
  for (Recorder* work : {&augmented, &again}) {
    folder = run::RunFolder::create(temp.path(), "train", "loop");
    run(*work);
  }
  EXPECT_NE(plain.sum.item<double>(), augmented.sum.item<double>());
  EXPECT_EQ(augmented.sum.item<double>(), again.sum.item<double>());
  EXPECT_EQ(plain.batches, augmented.batches);
}

}  // namespace
}  // namespace namid::train
