// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "support/program.h"
#include "support/temp_folder.h"

namespace namid::testing {
namespace {

using nlohmann::json;

json record_of(const std::filesystem::path& run) {
  json record;
  std::ifstream(run / "run.json") >> record;
  return record;
}

std::string training(const TempFolder& folder, const std::string& name) {
  return "train --model small_cnn --width 4 --train-limit 256 --batch-size 32 --epochs 3 --steps 3 "
         "--epsilon 0.1 --lr 0.05 --checkpoint-every 1 --validation 32 --threads 1 --quiet --out " +
         folder.path().string() + " --name " + name;
}

/// Starts the program, sends `signal` after the run has made `steps` steps, returns its exit code.
int run_and_signal(const TempFolder& folder, const std::string& name, int signal, int steps) {
  const auto metrics = folder / ("train/" + name + "-001/metrics.jsonl");
  const pid_t child = fork();
  if (child == 0) {
    const auto command =
        std::string("exec ") + NAMID_PROGRAM + " " + training(folder, name) + " >/dev/null 2>&1";
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  for (int wait = 0; wait < 6000; ++wait) {
    std::ifstream file(metrics);
    const auto lines = std::count(std::istreambuf_iterator<char>(file), {}, '\n');
    if (lines >= steps) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  kill(child, signal);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string weights_of(const std::filesystem::path& run) {
  return record_of(run).at("result").at("weights_sha256");
}

TEST(ResumeSlow, AKilledRunEndsWithTheWeightsOfAnUninterruptedOne) {
  const TempFolder folder;
  ASSERT_EQ(run_program(training(folder, "whole")).code, 0);
  const auto expected = weights_of(folder / "train/whole-001");
  for (const int steps : {2, 11}) {
    const auto name = "killed" + std::to_string(steps);
    const auto run = folder / ("train/" + name + "-001");
    EXPECT_EQ(run_and_signal(folder, name, SIGKILL, steps), 128 + SIGKILL);
    EXPECT_EQ(record_of(run)["status"], "running");
    const auto resumed = run_program("resume --quiet " + run.string());
    ASSERT_EQ(resumed.code, 0) << resumed.text;
    EXPECT_EQ(weights_of(run), expected);
    EXPECT_EQ(record_of(run)["status"], "done");
  }
}

TEST(ResumeSlow, ASignalSavesAndEndsWithItsExitCode) {
  const TempFolder folder;
  ASSERT_EQ(run_program(training(folder, "whole")).code, 0);
  for (const auto& [signal, code] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    const auto name = "stopped" + std::to_string(signal);
    const auto run = folder / ("train/" + name + "-001");
    EXPECT_EQ(run_and_signal(folder, name, signal, 5), code);
    EXPECT_EQ(record_of(run)["status"], "interrupted");
    EXPECT_EQ(record_of(run)["exit_code"], code);
    ASSERT_EQ(run_program("resume --quiet " + run.string()).code, 0);
    EXPECT_EQ(weights_of(run), weights_of(folder / "train/whole-001"));
  }
}

TEST(ResumeSlow, ARunKilledBeforeItsRecordWasWrittenGetsItWhenResumed) {
  const TempFolder folder;
  ASSERT_EQ(run_program(training(folder, "killed")).code, 0);
  const auto run = folder / "train/killed-001";
  const auto whole = record_of(run);
  std::ofstream(run / "run.json") << json{{"command", "train"}, {"status", "running"}};
  ASSERT_EQ(run_program("resume --quiet " + run.string()).code, 0);
  for (const auto* key : {"options", "environment", "data", "model", "argv"})
    EXPECT_EQ(record_of(run)[key], whole[key]) << key;
}

}  // namespace
}  // namespace namid::testing
