// SPDX-License-Identifier: Apache-2.0
#include "namid/core/log.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>

#include "namid/core/error.h"
#include "namid/core/version.h"
#include "support/temp_folder.h"

namespace namid {
namespace {

TEST(Log, LinesUsePlainWords) {
  EXPECT_EQ(log_line(LogLevel::debug, "x", false), "debug: x");
  EXPECT_EQ(log_line(LogLevel::info, "x", true), "x");
  EXPECT_EQ(log_line(LogLevel::warn, "x", false), "warning: x");
  EXPECT_EQ(log_line(LogLevel::error, "x", true), "\x1b[1;31merror:\x1b[0m x");
}

TEST(Log, ShowsLevelsFromInfoOnStderr) {
  ::testing::internal::CaptureStderr();
  log_debug("hidden");
  log_info("one ", 1);
  log_warning("two ", 0.5);
  set_log_level(LogLevel::error);
  log_warning("hidden too");
  log_error("three");
  set_log_level(LogLevel::info);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "one 1\nwarning: two 0.5\nerror: three\n");
}

TEST(Log, FileGetsEveryLevelWithItsTime) {
  const testing::TempFolder folder;
  const auto path = folder / "log.txt";
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 2; ++i) {  // a second opening appends
    set_log_file(path);
    log_debug("a");
    log_warning("b");
    set_log_file({});
  }
  log_info("not in the file");
  ::testing::internal::GetCapturedStderr();
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::string time = R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ )";
  const std::string once = time + "debug: a\n" + time + "warning: b\n";
  EXPECT_TRUE(std::regex_match(text, std::regex(once + once))) << text;
  EXPECT_THROW(set_log_file(path / "below"), ResourceError);
}

TEST(Version, IsThatOfTheProject) {
  EXPECT_TRUE(std::regex_match(std::string(version()), std::regex(R"(\d+\.\d+\.\d+)")));
  EXPECT_TRUE(
      std::regex_match(std::string(commit()), std::regex("unknown|[0-9a-f]{7,40}(-dirty)?")));
}

}  // namespace
}  // namespace namid
