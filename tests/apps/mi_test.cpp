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

TEST(Mi, SaysWhichModelOrEstimatorsItMisses) {
  const TempFolder folder;
  const auto out = " --quiet --threads 1 --out " + folder.path().string();
  const auto expect_failure = [](const std::string& arguments, int code,
                                 const std::string& message) {
    const auto result = run_program(arguments);
    EXPECT_EQ(result.code, code) << result.text;
    EXPECT_NE(result.text.find(message), std::string::npos) << result.text;
  };
  const auto train = [&](const std::string& name, const std::string& more) {
    ASSERT_EQ(run_program("train --defense natural --model mlp --width 8 --epochs 1 --train-limit "
                          "200 --validation 50 --name " +
                          name + more + out)
                  .code,
              0);
  };
  train("m", "");
  const auto model = folder.path() / "train" / "m-001";
  expect_failure("mi " + model.string(), 2, "expected --estimators RUN");
  expect_failure("mi " + model.string() + " --estimators " + (folder.path() / "no").string(), 3,
                 "estimators");
  expect_failure("mi " + model.string() + " --estimators " + model.string(), 3, "estimators");
  expect_failure("mi " + (folder.path() / "no").string() + " --estimators x", 3, "model");
  ASSERT_EQ(run_program("estimate " + model.string() +
                        " --objective natural --epochs 1 --units 8 --train-limit 200 --validation "
                        "50 --batch-size 50 --name e" +
                        out)
                .code,
            0);
  const auto estimators = (folder.path() / "estimate" / "e-001").string();
  expect_failure("mi " + model.string() + " --estimators " + estimators + " --attacks pgd-0", 2,
                 "pgd-0");
  expect_failure("mi " + model.string() + " --estimators " + estimators + " --attacks pdg", 2,
                 "pdg");
}

}  // namespace
}  // namespace namid::testing
