// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "namid/mi/estimator.h"
#include "namid/run/run_folder.h"
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
  for (const auto* command :
       {"demo", "train", "estimate", "evaluate", "transfer", "curve", "certify", "attack", "verify",
        "compare", "gate", "report", "resume", "list", "doctor"})
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
  expect_failure("train --profile reference --defense mma", 2, "the released code has no mma");
  expect_failure("train --defense namid", 2, "--estimators");
  expect_failure("train --defense at-mim", 2, "the at-mim defence needs --estimators");
  expect_failure("train --defense trades --trades-beta -1", 2, "beta: expected ≥ 0, got -1");
  expect_failure("train --defense mma --bn-updates reference", 2, "the released code has no mma");
  expect_failure("train --defense mma-reference --norm l2 --bn-updates reference", 2,
                 "a tensor unrelated to the perturbation");
  expect_failure("train --defense trades --estimators x", 2, "the trades defence uses none");
  expect_failure("train --epsilon 8", 2, "255");
  expect_failure("train --device cuda:99", 2, "no GPU");
  expect_failure("train --select validation", 2, "--validation");
  expect_failure("train --select test --validation 9", 2, "take the place of held-out ones");
  expect_failure("train --init target", 2, "needs a defence with estimators");
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
  for (const auto* what : {"attacks", "bounds", "defenses", "models", "data", "options"}) {
    const std::string command = std::string("list ") + what;
    EXPECT_EQ(run_program(command).code, 0) << what;
    EXPECT_NE(run_program(command + " --markdown").text.find("|"), std::string::npos) << what;
    EXPECT_FALSE(json::parse(run_program(command + " --json").text).empty()) << what;
  }
  for (const auto* part : {"pgd", "linf 8/255", "spatial-flow"})
    EXPECT_NE(run_program("list attacks").text.find(part), std::string::npos) << part;
  EXPECT_TRUE(json::parse(run_program("doctor --json").text).contains("torch"));
}

TEST(Cli, ABarInATextStaysInItsMarkdownCell) {
  EXPECT_NE(run_program("list data --markdown").text.find("*.png\\|jpg"), std::string::npos);
  EXPECT_NE(run_program("list data").text.find("*.png|jpg"), std::string::npos);
}

TEST(Cli, AProfileChangesDefaultsAndIsListed) {
  const auto pages = json::parse(run_program("list options --json").text);
  const auto defaults = [&](const std::string& page) {
    std::map<std::string, std::string> found;
    for (const auto& entry : pages.at(page)) found[entry.at("path")] = entry.at("default");
    return found;
  };
  const auto selected = defaults("estimate --profile reference");
  EXPECT_EQ(selected.at("batch_size"), "400");
  EXPECT_EQ(selected.at("attack.norm"), "l2");
  EXPECT_EQ(selected.at("attack.step_size"), "0.05");
  EXPECT_EQ(selected.count("profile") + selected.count("units"), 0U) << "only what differs";
  const auto separate = defaults("estimate --profile reference --objective separate");
  EXPECT_EQ(separate.at("milestones"), "21,31,41");
  EXPECT_EQ(separate.at("attack.epsilon"), "0.031");
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
  const auto adaptive =
      run_program("evaluate " + (folder / "train/n-001").string() + out + "--adaptive-estimators " +
                  (folder / "estimate/e-001").string() +
                  " --adaptive-steps 2 --adaptive-bank 16 --epsilon 0.1 --steps 1 --test-limit 24 "
                  "--compute-batch 12 --threads 1 --quiet --json");
  ASSERT_EQ(adaptive.code, 0) << adaptive.text;
  const auto attacks = json::parse(adaptive.text).at("attacks");
  ASSERT_EQ(attacks.size(), 5U);
  EXPECT_EQ(attacks[4].at("name"), "adaptive-adversarial");
  EXPECT_EQ(attacks[4].at("refuted"), 0);
  expect_failure(
      "evaluate " + (folder / "train/n-001").string() + out + "--adaptive-estimators nowhere", 3,
      "pair of estimators");
  expect_failure(std::string("train") + kTiny + out + "--norm l2 --defense namid --estimators " +
                     (folder / "estimate/e-001").string(),
                 2, "norm");
}

TEST(Cli, StartsFromTheTargetOfTheEstimators) {
  const TempFolder folder;
  const std::string out = " --out " + folder.path().string() + " ";
  const auto target = folder / "train/a-001", estimators = folder / "estimate/e-001";
  ASSERT_EQ(run_program(std::string("train") + kTiny + out + "--name a").code, 0);
  ASSERT_EQ(run_program("estimate " + target.string() + out +
                        "--train-limit 64 --batch-size 32 --epochs 1 --units 16 --steps 2 "
                        "--epsilon 0.1 --threads 1 --quiet --name e")
                .code,
            0);
  const std::string namid = std::string("train") + kTiny + out +
                            "--defense namid --allow-weak-estimator --init target --estimators ";
  const auto record = [](const std::filesystem::path& run) {
    return run::RunFolder::open(run).read_record();
  };
  const auto trained = run_program(namid + estimators.string() + " --name n");
  ASSERT_EQ(trained.code, 0) << trained.text;
  EXPECT_EQ(record(folder / "train/n-001").at("init_sha256"),
            record(target).at("result").at("weights_sha256"));
  ASSERT_EQ(run_program(namid + (estimators / "estimators.safetensors").string()).code, 0);

  const auto weights = (folder / "by-anyone.pth").string();
  ASSERT_EQ(run_program("convert " + (target / "model.safetensors").string() + " " + weights).code,
            0);
  const auto estimated =
      run_program("estimate " + record(target).at("model").at("name").get<std::string>() +
                  " --width 4 --weights " + weights + out +
                  "--train-limit 64 --batch-size 32 --epochs 1 --units 16 --steps 2 --epsilon 0.1 "
                  "--threads 1 --quiet --name w");
  ASSERT_EQ(estimated.code, 0) << estimated.text;
  const auto on_weights =
      run_program(namid + (folder / "estimate/w-001").string() + " --name from-weights");
  ASSERT_EQ(on_weights.code, 0) << on_weights.text;
  EXPECT_EQ(record(folder / "train/from-weights-001").at("init_sha256"),
            record(target).at("result").at("weights_sha256"));

  std::filesystem::copy(estimators / "estimators.safetensors", folder / "alone.safetensors");
  expect_failure(namid + (folder / "alone.safetensors").string(), 2, "--init RUN");
  ASSERT_EQ(run_program(std::string("train") + kTiny + out + "--name other --seed 9").code, 0);
  std::filesystem::copy(folder / "train/other-001/model.safetensors", target / "model.safetensors",
                        std::filesystem::copy_options::overwrite_existing);
  expect_failure(namid + estimators.string(), 3, "it was changed since");
  std::filesystem::remove(target / "model.safetensors");
  expect_failure(namid + estimators.string(), 3, "holds no model.safetensors");
}

TEST(Cli, TestImagesMayChooseTheWeightsWhenAsked) {
  const TempFolder folder;
  const std::string out = " --out " + folder.path().string() + " ";
  const auto trained =
      run_program(std::string("train") + kTiny + out + "--name t --select test --test-limit 40");
  ASSERT_EQ(trained.code, 0) << trained.text;
  const auto run = folder / "train/t-001";
  EXPECT_EQ(run::RunFolder::open(run).read_record().at("data").at("test"), 40);
  for (const char* file : {"last.safetensors", "best.safetensors"})
    EXPECT_TRUE(std::filesystem::exists(run / file)) << file;
  const auto evaluated = run_program("evaluate " + run.string() + out +
                                     "--epsilon 0.1 --steps 1 --test-limit 20 --threads 1 --quiet "
                                     "--name e");
  ASSERT_EQ(evaluated.code, 0) << evaluated.text;
  EXPECT_EQ(run::RunFolder::open(folder / "evaluate/e-001").read_record().at("chosen_on"), "test");
}

TEST(Cli, EstimatorsThatDoNotFitAreRefused) {
  const TempFolder folder;
  const auto file = (folder / "e.safetensors").string();
  const mi::EstimatorInfo fit{
      .units = 4, .num_classes = 10, .input_shape = {1, 28, 28}, .objective = "selected"};
  const auto refused = [&](auto change, int code, const std::string& message) {
    auto info = fit;
    change(info);
    mi::save_estimators(file, mi::make_estimators(info, 1));
    expect_failure(std::string("train") + kTiny + "--defense namid --estimators " + file, code,
                   message);
  };
  refused([](auto& info) { info.layer = models::Layer::internal; }, 2,
          "made for layer internal, needed for small_cnn, which has no such layer");
  refused([](auto& info) { info.num_classes = 7; }, 2, "made for class count 7, needed for 10");
  refused([](auto& info) { info.budget.norm = attacks::Norm::l2; }, 2,
          "made for norm l2, needed for linf; train estimators with that norm, or accept it with "
          "--allow-estimator-mismatch norm");
  refused([](auto& info) { info.weak = true; }, 2, "--allow-weak-estimator");
  expect_failure(std::string("train") + kTiny + "--defense namid --estimators " +
                     (folder / "nowhere").string(),
                 3, "no such file or run folder; expected a pair of estimators");
}

TEST(Cli, AProfileYieldsToFileAndFlagsAndIsRecorded) {
  const TempFolder folder;
  const std::string out = " --out " + folder.path().string() + " ";
  ASSERT_EQ(run_program(std::string("train") + kTiny + out + "--name a").code, 0);
  std::ofstream(folder / "recipe.toml")
      << "profile = \"reference\"\nlr = 0.02\nbatch_size = 16\n[attack]\nsteps = 3\n";
  const auto result = run_program("estimate " + (folder / "train/a-001").string() + out +
                                  "--config " + (folder / "recipe.toml").string() +
                                  " --batch-size 32 --train-limit 64 --epochs 1 --units 8 "
                                  "--dv-mask exclude --threads 1 --quiet --name e");
  ASSERT_EQ(result.code, 0) << result.text;
  json record;
  std::ifstream(folder / "estimate/e-001/run.json") >> record;
  const auto& options = record.at("options");
  EXPECT_EQ(record.at("profile"), "reference");
  EXPECT_EQ(options.at("contrast"), "cosine") << "profile over default";
  EXPECT_EQ(options.at("attack").at("norm"), "l2");
  EXPECT_EQ(options.at("lr"), 0.02) << "file over profile";
  EXPECT_EQ(options.at("attack").at("steps"), 3);
  EXPECT_EQ(options.at("batch_size"), 32) << "flag over file";
  EXPECT_EQ(options.at("dv_mask"), "exclude") << "even where it is the plain default";
  const auto argv = record.at("argv").get<std::vector<std::string>>();
  const auto flag = std::find(argv.begin(), argv.end(), "--dv-mask");
  ASSERT_NE(flag, argv.end()) << "it would not come about by itself";
  EXPECT_EQ(*(flag + 1), "exclude");
}

TEST(Cli, TrainsAsTheReleasedCodeAndRefreshesEstimators) {
  const TempFolder folder;
  const std::string out = " --out " + folder.path().string() + " ";
  ASSERT_EQ(run_program(std::string("train") + kTiny + out + "--name a").code, 0);
  const auto estimators = (folder / "estimate/e-001").string();
  ASSERT_EQ(run_program("estimate " + (folder / "train/a-001").string() + out +
                        "--train-limit 64 --batch-size 32 --epochs 1 --units 16 --steps 2 "
                        "--norm l2 --epsilon 0.5 --threads 1 --quiet --name e")
                .code,
            0);
  const std::string namid = std::string("train") + kTiny + out +
                            "--defense namid --profile reference --allow-weak-estimator "
                            "--epochs 4 --test-limit 32 --validation-steps 1 --estimators " +
                            estimators +
                            " --refresh-estimators 3 --estimate-units 8 "
                            "--estimate-epochs 1 --estimate-batch-size 32 ";
  const auto trained = run_program(namid + "--name n");
  ASSERT_EQ(trained.code, 0) << trained.text;
  const auto record = run::RunFolder::open(folder / "train/n-001").read_record();
  const auto& options = record.at("options");
  EXPECT_EQ(record.at("profile"), "reference");
  EXPECT_EQ(options.at("clip_grad"), 0) << "profile over default";
  EXPECT_EQ(options.at("batch_size"), 32) << "flag over profile";
  EXPECT_EQ(options.at("namid").at("selection"), "batch-softmax");
  EXPECT_EQ(record.at("result").at("validated_on"), "test");
  const auto refreshes = record.at("result").at("refreshes");
  ASSERT_EQ(refreshes.size(), 1U);
  EXPECT_EQ(refreshes[0].at("epoch"), 4);
  EXPECT_TRUE(
      std::filesystem::exists(folder / "train/n-001" / refreshes[0].at("run").get<std::string>() /
                              "estimators.safetensors"));
  expect_failure(namid + "--estimate-objective standard", 2, "objective");
  expect_failure(namid + "--estimate-batch-size 65", 2, "at most the 64 training images");
  expect_failure(std::string("train") + kTiny + out + "--refresh-estimators 2", 2,
                 "the standard defence has no estimators");
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
