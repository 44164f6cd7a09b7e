// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/program.h"
#include "support/temp_folder.h"

namespace namid::testing {
namespace {

using nlohmann::json;

constexpr const char* kSmall =
    " --validate --seeds 1 --dimensions 2 --information 1 --images=false --controls=false "
    "--hidden 32 --embedding 32 --test-batch 256 --test-batches 2 --threads 1 --quiet ";

TEST(Mi, ValidationMakesARunFolderWithItsTable) {
  const TempFolder folder;
  const auto out = " --out " + folder.path().string();
  const auto result = run_program("mi --json" + std::string(kSmall) + "--steps 150" + out);
  ASSERT_EQ(result.code, 0) << result.text;
  const auto document = json::parse(result.text);
  EXPECT_EQ(document["right"], 2);
  EXPECT_EQ(document["bound"], "info-nce");
  std::ifstream file(document["run"].get<std::string>() + "/run.json");
  const auto record = json::parse(file);
  EXPECT_EQ(record["status"], "done");
  EXPECT_EQ(record["result"]["cells"], document["cells"]);
}

TEST(Mi, AWrongEstimateIsShownAndEndsWithSix) {
  const TempFolder folder;
  const auto out = " --out " + folder.path().string();
  const auto result = run_program("mi" + std::string(kSmall) + "--steps 1" + out);
  EXPECT_EQ(result.code, 6) << result.text;
  EXPECT_NE(result.text.find("WRONG"), std::string::npos) << result.text;
  EXPECT_NE(result.text.find("0 of 2"), std::string::npos) << result.text;
}

TEST(Mi, SaysWhatItNeedsAndWhatItCannotRead) {
  for (const auto& [arguments, message] :
       {std::pair{"mi", "namid mi --validate"},
        std::pair{"mi --validate --bound club", "club reads no score tensor"},
        std::pair{"mi --validate --bound clib", "did you mean 'club'?"},
        std::pair{"mi --validate --tau 0", "tau: expected > 0"},
        std::pair{"mi --validate --seeds 0", "seeds: expected ≥ 1"}}) {
    const auto result = run_program(arguments);
    EXPECT_EQ(result.code, 2) << result.text;
    EXPECT_NE(result.text.find(message), std::string::npos) << result.text;
  }
}

}  // namespace
}  // namespace namid::testing
