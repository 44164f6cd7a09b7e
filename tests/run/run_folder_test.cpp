// SPDX-License-Identifier: Apache-2.0
#include "namid/run/run_folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "namid/core/error.h"
#include "namid/core/version.h"
#include "namid/run/stop_token.h"
#include "support/temp_folder.h"

namespace namid::run {
namespace {

using testing::TempFolder;
namespace fs = std::filesystem;

/// Exit status of `action` in a forked process; 128 + signal if one ended it.
template <class Action>
int in_child(Action action) {
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 99;
    try {
      status = action();
    } catch (...) {
    }
    ::_exit(status);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(RunFolder, TakesTheNextFreeNumber) {
  const TempFolder root;
  EXPECT_EQ(RunFolder::create(root / "runs", "train", "at").path(), root / "runs/train/at-001");
  EXPECT_EQ(RunFolder::create(root / "runs", "train", "at").path(), root / "runs/train/at-002");
  EXPECT_EQ(RunFolder::create(root / "runs", "train", "at-001").path(),
            root / "runs/train/at-001-001");
  fs::create_directory(root / "runs/train/at-999");
  fs::create_directory(root / "runs/train/at-x99");
  EXPECT_EQ(RunFolder::create(root / "runs", "train", "at").path(), root / "runs/train/at-1000");
  EXPECT_EQ(RunFolder::create(root / "runs", "eval", "at").path(), root / "runs/eval/at-001");
}

TEST(RunFolder, ProcessesNeverShareAFolder) {
  const TempFolder root;
  constexpr int kProcesses = 8, kEach = 5;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    children.push_back(::fork());
    if (children.back() == 0) {
      for (int k = 0; k < kEach; ++k) {
        const auto folder = RunFolder::create(root.path(), "train", "x");
        const int mine = ::open((folder / "mine").c_str(), O_CREAT | O_EXCL, 0600);
        folder.update_record({{"process", i}});
        if (mine < 0 || folder.read_record()["process"] != i) ::_exit(1);
      }
      ::_exit(0);
    }
  }
  for (const auto child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(root / "train"))
    names.insert(entry.path().filename());
  EXPECT_EQ(names.size(), std::size_t{kProcesses * kEach});
  EXPECT_EQ(*names.rbegin(), "x-040");
}

TEST(RunFolder, RecordMergesDeeplyAndConfigReadsBack) {
  const TempFolder root;
  const auto folder = RunFolder::create(root.path(), "train", "at");
  EXPECT_EQ(folder.read_record()["status"], "running");
  folder.update_record({{"seed", 3}, {"data", {{"name", "mini"}, {"count", 5}}}});
  folder.update_record({{"status", "done"}, {"data", {{"count", 6}}}, {"argv", {"a\xff"}}});
  const auto record = RunFolder::open(folder.path()).read_record();
  EXPECT_EQ(record["command"], "train");
  EXPECT_EQ(record["status"], "done");
  EXPECT_EQ(record["seed"], 3);
  EXPECT_EQ(record["data"], (nlohmann::json{{"name", "mini"}, {"count", 6}}));
  folder.write_config("a = 1\n");
  EXPECT_EQ(folder.read_config(), "a = 1\n");
}

TEST(RunFolder, ChildrenAreRunsTooAndNeverOverwritten) {
  const TempFolder root;
  const auto folder = RunFolder::create(root.path(), "demo", "x");
  const auto child = folder.create_child("stage-1");
  EXPECT_EQ(child.path(), folder / "stage-1");
  EXPECT_EQ(RunFolder::open(child.path()).read_record()["command"], "stage-1");
  EXPECT_THROW(folder.create_child("stage-1"), ResourceError);
}

TEST(RunFolder, RefusesBadNamesAndPlaces) {
  const TempFolder root;
  for (const auto name : {"", ".", "..", ".hidden", "a/b"})
    EXPECT_THROW(RunFolder::create(root.path(), "train", name), OptionError) << name;
  EXPECT_THROW(RunFolder::create(root.path(), "../up", "x"), OptionError);
  std::ofstream(root / "file") << "x";
  EXPECT_THROW(RunFolder::create(root / "file", "train", "x"), ResourceError);
  EXPECT_THROW(RunFolder::open(root / "missing"), DataError);
  std::ofstream(root / "run.json") << "[1]";
  EXPECT_THROW(RunFolder::open(root.path()), DataError);
  std::ofstream(root / "run.json") << "{\"a\":";
  EXPECT_THROW(RunFolder::open(root.path()), DataError);
}

TEST(RunFolder, LockKeepsOthersOutUntilReleased) {
  const TempFolder root;
  const auto folder = RunFolder::create(root.path(), "train", "at");
  const auto try_lock = [&] {
    try {
      return folder.lock() ? 0 : 2;
    } catch (const ResourceError&) {
      return 1;
    }
  };
  auto held = folder.lock();
  EXPECT_EQ(in_child(try_lock), 1);
  EXPECT_EQ(try_lock(), 1) << "also inside one process";
  held.reset();
  EXPECT_EQ(in_child(try_lock), 0);
  EXPECT_EQ(try_lock(), 0) << "a process that ended holds nothing";
}

TEST(Environment, NamesWhatNumbersDependOn) {
  const auto record = environment_record();
  EXPECT_EQ(record["version"], std::string(version()));
  for (const auto key : {"commit", "torch", "cpu", "cpu_capability", "compiler", "system"})
    EXPECT_FALSE(record.at(key).get<std::string>().empty()) << key;
  EXPECT_GE(record.at("threads").get<int>(), 1);
}

TEST(StopToken, FirstSignalAsksSecondEnds) {
  for (const int signal : {SIGINT, SIGTERM}) {
    EXPECT_EQ(in_child([signal] {
                handle_signals();
                process_stop_token().check();
                std::raise(signal);
                try {
                  process_stop_token().check();
                } catch (const Interrupted& stop) {
                  return stop.signal() == signal ? 7 : 1;
                }
                return 2;
              }),
              7);
    EXPECT_EQ(in_child([signal] {
                handle_signals();
                std::raise(signal);
                std::raise(signal);
                return 0;
              }),
              128 + signal);
  }
}

}  // namespace
}  // namespace namid::run
