// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "namid/core/format.h"
#include "support/program.h"
#include "support/temp_folder.h"

namespace namid::testing {
namespace {

ProgramResult kill_and_resume(int points, const std::filesystem::path& build) {
  return run_command(str(NAMID_PYTHON, " ", NAMID_SOURCE_DIR, "/scripts/kill_resume.py --points ",
                         points, " --build ", build.string()));
}

/// A program that changes one row of a resumed run's ledger before it is compared.
void write_spoiling_program(const std::filesystem::path& file) {
  std::ofstream(file) << "#!/bin/sh\n"
                      << "if [ \"$1\" = ledger ]; then " << NAMID_PYTHON
                      << " -c 'import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); "
                      << "d.execute(\"UPDATE samples SET margin = margin + 1 WHERE sample = 0\"); "
                      << "d.commit()' \"$4/ledger.sqlite\"; fi\n"
                      << "exec " << NAMID_PROGRAM << " \"$@\"\n";
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
}

TEST(KillResumeSlow, AnEvaluationKilledAtRandomMomentsEndsInTheBytesOfAWholeOne) {
  const auto result = kill_and_resume(3, std::filesystem::path(NAMID_PROGRAM).parent_path());
  EXPECT_EQ(result.code, 0) << result.text;
  EXPECT_NE(result.text.find("\n3 points, "), std::string::npos) << result.text;
  EXPECT_NE(result.text.find(" 0 differences"), std::string::npos) << result.text;
}

TEST(KillResumeSlow, TheComparisonNoticesOneChangedRow) {
  const TempFolder folder;
  write_spoiling_program(folder / "namid");
  const auto result = kill_and_resume(1, folder.path());
  EXPECT_EQ(result.code, 1) << result.text;
  EXPECT_NE(result.text.find("ledger.sqlite differs"), std::string::npos) << result.text;
}

}  // namespace
}  // namespace namid::testing
