// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

#include "namid/defenses/mma.h"
#include "namid/models/weights.h"
#include "train/workbench.h"

namespace namid::train {
namespace {

using testing::acting_at;
using testing::adversarial;
using testing::small_model;

constexpr int kEpochSteps = 6;
constexpr auto kFolder = "NAMID_TEST_RUN_FOLDER";

void use_everything(testing::Workbench& bench) {
  bench.options.ema = 0.8;
  bench.options.checkpoint_every = 4;
  bench.augment = true;
}

/// Interrupts after step `k`, resumes with a fresh model of other weights, and returns the hash.
std::string weights_after_interruption(int k) {
  testing::Workbench bench;
  use_everything(bench);
  const auto stop = [&](const auto&) { bench.stop.request(SIGINT); };
  EXPECT_THROW(bench.run(acting_at(k, stop)), run::Interrupted);
  bench.stop.request(0);
  bench.model = small_model("small_cnn", 77);
  const auto result = bench.run(adversarial(), true);
  EXPECT_EQ(result.at("steps"), 3 * kEpochSteps);
  EXPECT_EQ(run::read_metrics(bench.folder.path()).size(), 3U * (kEpochSteps + 1));
  return bench.weights();
}

std::string uninterrupted_weights() {
  testing::Workbench bench;
  use_everything(bench);
  bench.run();
  return bench.weights();
}

TEST(Resume, EndsWithBitIdenticalWeights) {
  const auto expected = uninterrupted_weights();
  for (const int k : {1, 3, kEpochSteps, kEpochSteps + 1, 2 * kEpochSteps, 17})
    EXPECT_EQ(weights_after_interruption(k), expected) << "interrupted after step " << k;
}

/// Max-margin training, whose margins must survive; asks for a stop in step `k`.
std::string weights_of_mma(int k) {
  testing::Workbench bench;
  bench.options.lr = 0.5;  // so that images are soon right, and have margins
  const auto objective = [&](int last) {
    const auto table = std::make_shared<defenses::MarginTable>();
    return defenses::Objective(
        [&bench, table, last, calls = std::make_shared<int>(0)](
            const auto& model, const auto& batch, const auto& context) {
          if (++*calls == last) bench.stop.request(SIGINT);
          return defenses::mma(model, batch, {testing::small_attack()}, {}, *table, context);
        },
        table);
  };
  if (k > 0) {
    EXPECT_THROW(bench.run(objective(k)), run::Interrupted);
    bench.stop.request(0);
    bench.model = small_model("small_cnn", 77);
  }
  bench.run(objective(0), k > 0);
  const auto rows = run::read_metrics(bench.folder.path());
  EXPECT_GT(rows.back().metrics.at("margin_mean"), 0);
  return bench.weights();
}

TEST(Resume, KeepsWhatTheObjectiveRemembers) {
  const auto expected = weights_of_mma(0);
  EXPECT_EQ(weights_of_mma(2 * kEpochSteps + 1), expected);
}

TEST(Resume, OfAFinishedRunGivesItsResultAgain) {
  testing::Workbench bench;
  const auto first = bench.run();
  bench.model = small_model("small_cnn", 77);
  auto second = bench.run(adversarial(), true);
  EXPECT_EQ(second.at("weights_sha256"), first.at("weights_sha256"));
  EXPECT_EQ(second.at("validation"), first.at("validation"));
  EXPECT_EQ(run::read_metrics(bench.folder.path()).size(), 3U * (kEpochSteps + 1));
}

TEST(Resume, KeepsTheBestOfEarlierEpochs) {
  testing::Workbench whole, bench;
  for (auto* one : {&whole, &bench}) one->options.select = Select::validation;
  const auto expected = whole.run();
  const auto stop = [&](const auto&) { bench.stop.request(SIGTERM); };
  EXPECT_THROW(bench.run(acting_at(14, stop)), run::Interrupted);
  bench.stop.request(0);
  const auto result = bench.run(adversarial(), true);
  for (const char* key : {"best_epoch", "validation", "weights_sha256"})
    EXPECT_EQ(result.at(key), expected.at(key)) << key;
}

TEST(Resume, RefusesAnAverageThatTheCheckpointDoesNotHave) {
  testing::Workbench bench;
  bench.run();
  bench.options.ema = 0.5;
  EXPECT_THROW(bench.run(adversarial(), true), OptionError);
}

/// Body of the process that is killed: trains in the folder that the environment names, a little
/// slowed down, and waits at its last step.
TEST(ResumeChild, DISABLED_TrainsUntilKilled) {
  const char* path = std::getenv(kFolder);
  ASSERT_NE(path, nullptr);
  testing::Workbench bench;
  use_everything(bench);
  int calls = 0;
  const auto objective = [&](const auto& model, const auto& batch, const auto& context) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    while (calls == 3 * kEpochSteps - 1) ::pause();
    ++calls;
    return adversarial()(model, batch, context);
  };
  train(bench.model, bench.training, bench.validation, bench.augment, objective,
        testing::small_attack(), bench.options,
        {run::RunFolder::open(path), nullptr, false, false});
}

/// A new process of this program, since autograd does not survive a fork.
pid_t start_child(const std::filesystem::path& folder) {
  const auto pid = ::fork();
  if (pid != 0) return pid;
  ::setenv(kFolder, folder.c_str(), 1);
  ::execl("/proc/self/exe", "test", "--gtest_filter=ResumeChild.*",
          "--gtest_also_run_disabled_tests", "--gtest_brief=1", nullptr);
  ::_exit(127);
}

TEST(Resume, SurvivesAKillAtAnyMoment) {
  const auto expected = uninterrupted_weights();
  std::random_device random;
  for (int round = 0; round < 3; ++round) {
    testing::Workbench bench;
    use_everything(bench);
    bench.folder.update_record({{"status", "running"}});
    const auto child = start_child(bench.folder.path());
    const auto delay = std::chrono::milliseconds(random() % 200);
    const auto first = bench.folder / "checkpoints/last.safetensors";
    for (int i = 0; i < 30000 && !std::filesystem::exists(first); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      ASSERT_EQ(::waitpid(child, nullptr, WNOHANG), 0) << "the child ended early";
    }
    std::this_thread::sleep_for(delay);
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
    bench.run(adversarial(), true);
    EXPECT_EQ(bench.weights(), expected) << "killed " << delay.count() << " ms after a checkpoint";
    EXPECT_EQ(run::read_metrics(bench.folder.path()).size(), 3U * (kEpochSteps + 1));
  }
}

}  // namespace
}  // namespace namid::train
