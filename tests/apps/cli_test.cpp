// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/program.h"
#include "support/temp_folder.h"

namespace namid::testing {
namespace {

using nlohmann::json;

constexpr const char* kTiny =
    " --model small_cnn --width 4 --train-limit 64 --batch-size 32 --lr 0.05 --epochs 1 --steps 2 "
    "--epsilon 0.1 --threads 1 --quiet ";

void expect_failure(const std::string& arguments, int code, const std::string& message) {
  const auto result = run_program(arguments);
  EXPECT_EQ(result.code, code) << arguments << "\n" << result.text;
  EXPECT_NE(result.text.find(message), std::string::npos) << arguments << "\n" << result.text;
}

TEST(Cli, HelpAndVersion) {
  const auto help = run_program("--help");
  EXPECT_EQ(help.code, 0);
  for (const auto* command : {"demo", "train", "estimate", "evaluate", "attack", "verify",
                              "compare", "report", "resume", "list", "doctor"})
    EXPECT_NE(help.text.find(command), std::string::npos) << command;
  EXPECT_EQ(run_program("--version").text.rfind("namid 0.", 0), 0u);
  const auto train = run_program("train --help");
  EXPECT_EQ(train.code, 0);
  EXPECT_NE(train.text.find("--attack-step-size,--step-size"), std::string::npos) << train.text;
}

TEST(Cli, WrongUsageIsTwoAndSaysWhatToDo) {
  expect_failure("", 2, "see namid --help");
  expect_failure("trian", 2, "did you mean 'train'?");
  expect_failure("train --epoch 3", 2, "did you mean '--epochs'?");
  expect_failure("train --epochs zero", 2, "epochs: expected a whole number, got 'zero'");
  expect_failure("train --epochs 0", 2, "epochs: expected ≥ 1, got 0");
  expect_failure("train --defense namd", 2, "did you mean 'namid'?");
  expect_failure("train --set attack.step=3", 2, "did you mean 'attack.steps'?");
  expect_failure("train --set attack.steps", 2, "expected KEY=VALUE");
  expect_failure("train --config nowhere.toml", 2, "cannot read nowhere.toml");
  expect_failure("train --model resnet19", 2, "did you mean");
  expect_failure("train --data fashion-mnist-min", 2, "fashion-mnist-mini");
  expect_failure("train --profile reference", 2, "not available yet");
  expect_failure("train --defense namid", 2, "--estimators");
  expect_failure("train --epsilon 8", 2, "255");
  expect_failure("train --device cuda:99", 2, "no GPU");
  expect_failure("train --select validation", 2, "--validation");
  expect_failure("evaluate", 2, "namid evaluate MODEL");
  expect_failure("list attcks", 2, "did you mean 'attacks'?");
}

TEST(Cli, UnreadableInputIsThree) {
  const TempFolder folder;
  std::ofstream(folder / "broken.safetensors") << "not a model";
  expect_failure("evaluate " + (folder / "nowhere").string(), 3, "no such file or run folder");
  expect_failure("evaluate " + (folder / "broken.safetensors").string(), 3, "broken.safetensors");
  expect_failure("evaluate " + folder.path().string(), 3, "holds no model.safetensors");
  expect_failure("report " + folder.path().string(), 3, "run.json");
  expect_failure("resume " + folder.path().string(), 3, "run.json");
  expect_failure("train --data " + folder.path().string(), 3, folder.path().string());
}

TEST(Cli, AFolderThatCannotBeMadeIsFour) {
  expect_failure(std::string("train") + kTiny + "--out /dev/null/runs", 4, "/dev/null/runs");
}

TEST(Cli, FlagsWinOverFileWinsOverDefault) {
  const TempFolder folder;
  std::ofstream(folder / "recipe.toml") << "epochs = 7\nlr = 0.25\n[attack]\nsteps = 3\n"
                                           "epsilon = \"8/255\"\n";
  const auto result = run_program(
      std::string("train") + kTiny + "--lr 0.125 --defense natural --config " +
      (folder / "recipe.toml").string() + " --out " + folder.path().string() + " --name x");
  ASSERT_EQ(result.code, 0) << result.text;
  json record;
  std::ifstream(folder / "train/x-001/run.json") >> record;
  EXPECT_EQ(record["options"]["lr"], 0.125);
  EXPECT_EQ(record["options"]["attack"]["steps"], 2);
  EXPECT_EQ(record["options"]["epochs"], 1);
  EXPECT_EQ(record["options"]["momentum"], 0.9);
  EXPECT_EQ(record["status"], "done");
  EXPECT_EQ(record["exit_code"], 0);
}

TEST(Cli, UnknownRecipeKeyNamesFileAndNearest) {
  const TempFolder folder;
  std::ofstream(folder / "recipe.toml") << "epoch = 7\n";
  expect_failure("train --config " + (folder / "recipe.toml").string(), 2, "epochs");
}

TEST(Cli, ListsEverythingAsTextMarkdownAndJson) {
  for (const auto* what : {"attacks", "defenses", "models", "data", "options"}) {
    const std::string command = std::string("list ") + what;
    EXPECT_EQ(run_program(command).code, 0) << what;
    EXPECT_NE(run_program(command + " --markdown").text.find("|"), std::string::npos) << what;
    EXPECT_FALSE(json::parse(run_program(command + " --json").text).empty()) << what;
  }
  EXPECT_NE(run_program("list attacks").text.find("pgd"), std::string::npos);
  EXPECT_TRUE(json::parse(run_program("doctor --json").text).contains("torch"));
}

TEST(Cli, TrainEvaluateCompareReport) {
  const TempFolder folder;
  const std::string out = " --out " + folder.path().string() + " ";
  ASSERT_EQ(run_program(std::string("train") + kTiny + out + "--name a --validation 16").code, 0);
  const auto model = (folder / "train/a-001").string();
  const auto evaluated = run_program("evaluate " + model + out +
                                     "--epsilon 0.1 --steps 3 --test-limit 50 "
                                     "--threads 1 --quiet --json");
  ASSERT_EQ(evaluated.code, 0) << evaluated.text;
  const auto result = json::parse(evaluated.text);
  EXPECT_EQ(result["n"], 50);
  EXPECT_LE(result["robust"]["accuracy"], result["natural"]["accuracy"]);
  EXPECT_LE(result["robust"]["lower"], result["robust"]["accuracy"]);
  const auto run = result["run"].get<std::string>();
  const auto table = run_program("compare " + run + " " + model + " --format csv");
  EXPECT_EQ(table.code, 0) << table.text;
  const auto report = run_program("report " + run);
  ASSERT_EQ(report.code, 0) << report.text;
  EXPECT_TRUE(std::filesystem::exists(run + "/report.html"));
  expect_failure("resume " + run, 2, "nothing to resume");
}

TEST(Cli, EstimatesAndTrainsNamid) {
  const TempFolder folder;
  const std::string out = " --out " + folder.path().string() + " ";
  ASSERT_EQ(run_program(std::string("train") + kTiny + out + "--name a").code, 0);
  const auto estimated =
      run_program("estimate " + (folder / "train/a-001").string() + out +
                  "--train-limit 64 --batch-size 32 --epochs 1 --units 16 --steps 2 "
                  "--epsilon 0.1 --threads 1 --quiet --name e");
  ASSERT_EQ(estimated.code, 0) << estimated.text;
  const auto namid =
      run_program(std::string("train") + kTiny + out +
                  "--defense namid --mi-warmup 0 --allow-weak-estimator --estimators " +
                  (folder / "estimate/e-001").string() + " --name n");
  ASSERT_EQ(namid.code, 0) << namid.text;
  expect_failure(std::string("train") + kTiny + out + "--norm l2 --defense namid --estimators " +
                     (folder / "estimate/e-001").string(),
                 2, "norm");
}

TEST(CliSlow, DemoPrintsOneDocument) {
  const TempFolder folder;
  const auto result = run_program(
      "demo --epochs 1 --estimator-epochs 1 --train-limit 128 --test-limit 64 --batch-size 32 "
      "--width 4 --units 16 --threads 1 --json --quiet --out " +
      folder.path().string());
  ASSERT_EQ(result.code, 0) << result.text;
  const auto document = json::parse(result.text.substr(result.text.find("\n{")));  // after warnings
  for (const auto* name : {"natural", "standard", "namid"}) {
    const auto& row = document.at(name);
    EXPECT_TRUE(row.at("natural_accuracy").is_number()) << name;
    EXPECT_LE(row.at("robust_accuracy").at("lower"), row.at("robust_accuracy").at("value"));
    EXPECT_LE(row.at("robust_accuracy").at("value"), row.at("robust_accuracy").at("upper"));
    EXPECT_EQ(row.at("n"), 64);
    EXPECT_TRUE(row.at("seconds").is_number());
    EXPECT_TRUE(std::filesystem::exists(row.at("run").get<std::string>() + "/model.safetensors"));
  }
  EXPECT_TRUE(std::filesystem::exists(document.at("report").get<std::string>()));
}

}  // namespace
}  // namespace namid::testing
