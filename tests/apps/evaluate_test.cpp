// SPDX-License-Identifier: Apache-2.0
// `namid evaluate` and `namid ledger`: what they give, and what they say to bad input.
#include "namid/eval/evaluate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "namid/data/dataset.h"
#include "namid/io/npz.h"
#include "namid/models/registry.h"
#include "namid/models/weights.h"
#include "support/files.h"
#include "support/program.h"
#include "support/temp_folder.h"

namespace namid::testing {
namespace {

using testing::read_json;

using nlohmann::json;
namespace fs = std::filesystem;

/// Class means m_c of the training images: logits 2 m_c·x − ‖m_c‖², the nearest mean wins.
models::Classifier nearest_mean(std::int64_t classes) {
  const auto model = models::create(
      {.model = "sequential", .layers = "[[layer]]\ntype='flatten'\n[[layer]]\ntype='linear'\n"},
      {1, 28, 28}, classes);
  const auto train = data::load_dataset({.train_limit = 2000}, data::Part::train);
  const auto x = train.images.to(at::kFloat).flatten(1) / 255;
  for (const auto& [name, tensor] : model.state_dict()) {
    const at::NoGradGuard no_grad;
    for (std::int64_t c = 0; c < classes; ++c) {
      const auto mean = x.index({train.labels == c}).mean(0);
      const auto& row = tensor[c];
      row.copy_(tensor.dim() == 2 ? 2 * mean : -mean.square().sum());
    }
  }
  return model;
}

class EvaluateCli : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    models_ = new TempFolder;
    const auto model = nearest_mean(10);
    models::save_model(*models_ / "model.safetensors", model);
    const auto state = model.state_dict();
    const at::NoGradGuard no_grad;
    state[0].second[3][5] = 0.25;
    models::save_model(*models_ / "other.safetensors", model);
    state[0].second[3][5] = std::numeric_limits<float>::quiet_NaN();
    models::save_model(*models_ / "nan.safetensors", model);
  }
  static void TearDownTestSuite() {
    delete models_;
    models_ = nullptr;
  }

  /// `evaluate` with these flags, and with others for what they leave open.
  std::string command(const std::string& flags, const std::string& model = "model") const {
    auto words = "evaluate " + (*models_ / (model + ".safetensors")).string() + " --quiet " + flags;
    const std::pair<const char*, std::string> defaults[] = {{" --test-limit ", "20"},
                                                            {" --steps ", "2"},
                                                            {" --compute-batch ", "8"},
                                                            {" --threads ", "1"},
                                                            {" --out ", out().string()}};
    for (const auto& [flag, value] : defaults)
      if (words.find(flag) == std::string::npos) words += flag + value;
    return words;
  }
  fs::path out() const { return temp_ / "runs"; }
  fs::path run(const std::string& name) const { return out() / "evaluate" / (name + "-001"); }

  /// The program ends with `code` and one error that says `message`.
  static std::string expect_end(const std::string& arguments, int code, const std::string& message,
                                const std::string& before = "") {
    const auto result = run_program(arguments, before);
    EXPECT_EQ(result.code, code) << arguments << "\n" << result.text;
    EXPECT_NE(result.text.find(message), std::string::npos) << arguments << "\n" << result.text;
    return result.text;
  }
  /// As a run looks that was killed before its end.
  static void mark_unfinished(const fs::path& run) {
    auto record = read_json(run / "run.json");
    record["status"] = "running";
    std::ofstream(run / "run.json") << record;
  }
  static void expect_failed_without_ledger(const fs::path& run) {
    EXPECT_EQ(read_json(run / "run.json")["status"], "failed");
    EXPECT_FALSE(fs::exists(run / "ledger.sqlite"));
    EXPECT_FALSE(fs::exists(run / "gallery.safetensors"));
  }

  static TempFolder* models_;
  TempFolder temp_;
};
TempFolder* EvaluateCli::models_ = nullptr;

/// Tests that start the program many times.
class EvaluateCliSlow : public EvaluateCli {};

std::set<std::string> keys(const json& object) {
  std::set<std::string> all;
  for (const auto& [key, value] : object.items()) all.insert(key);
  return all;
}

TEST_F(EvaluateCli, AWassersteinSuiteIsVerifiedByItsPlans) {
  const auto evaluated = run_program(
      command("--suite 'frank-wolfe(steps=3), transport-pgd(steps=3, step_size=0.2), "
              "projected-sinkhorn(steps=2, sinkhorn_iterations=50)' --norm wasserstein --epsilon "
              "1 --json --name w --test-limit 8"));
  ASSERT_EQ(evaluated.code, 0) << evaluated.text;
  const auto result = json::parse(evaluated.text.substr(evaluated.text.find('{')));
  for (const auto& attack : result["attacks"]) EXPECT_EQ(attack["refuted"], 0) << attack;
  EXPECT_LT(result["robust"]["correct"], result["natural"]["correct"]);
  EXPECT_GT(result["largest_norm"], 0);
  EXPECT_LE(result["largest_norm"], 1 + 1e-3);
  expect_end(command("--suite quick --norm wasserstein --name q"), 2,
             "norm: expected linf, l2, l1, got wasserstein");
}

TEST_F(EvaluateCli, ASuiteGivesTheDocumentedDocument) {
  const auto evaluated = run_program(command("--suite quick --epsilon 0.05 --json --name q"));
  ASSERT_EQ(evaluated.code, 0) << evaluated.text;
  const auto result = json::parse(evaluated.text.substr(evaluated.text.find('{')));
  EXPECT_EQ(keys(result), (std::set<std::string>{"n", "suite", "combine", "natural", "robust",
                                                 "headline", "attacks", "per_class", "largest_norm",
                                                 "compute_batch", "self_test", "run"}));
  const std::set<std::string> accuracy{"correct", "accuracy", "lower", "upper", "confidence"};
  EXPECT_EQ(keys(result["natural"]), accuracy);
  EXPECT_EQ(keys(result["robust"]), accuracy);
  EXPECT_EQ(keys(result["headline"]), (std::set<std::string>{"upper", "lower"}));
  ASSERT_EQ(result["attacks"].size(), 2u);
  for (const auto& attack : result["attacks"])
    EXPECT_EQ(keys(attack), (std::set<std::string>{"name", "attacked", "broken", "robust",
                                                   "refuted", "eight_bit", "passes", "seconds"}));
  for (const auto& row : result["per_class"])
    EXPECT_EQ(keys(row), (std::set<std::string>{"class", "n", "natural", "robust"}));
  EXPECT_EQ(result["n"], 20);
  EXPECT_EQ(result["suite"], "quick");
  EXPECT_EQ(result["combine"], "worst_case");
  EXPECT_EQ(result["compute_batch"], 8);
  EXPECT_EQ(result["attacks"][0]["attacked"], result["natural"]["correct"]);
  EXPECT_EQ(result["attacks"][1]["robust"], result["robust"]);
  EXPECT_LT(result["robust"]["correct"], result["natural"]["correct"]);
  EXPECT_LE(result["largest_norm"], 0.05 + 1e-6);
  const auto record = read_json(run("q") / "run.json");
  EXPECT_EQ(record["status"], "done");
  EXPECT_EQ(record["result"]["robust"], result["robust"]);
}

TEST_F(EvaluateCliSlow, WrongOptionsAreTwoAndMakeNoFolder) {
  const std::pair<const char*, const char*> wrong[] = {
      {"--epsilon -0.1", "epsilon: expected ≥ 0, got -0.1"},
      {"--epsilon 8", "8/255"},
      {"--norm l3", "norm"},
      {"--steps 0", "steps: expected ≥ 1, got 0"},
      {"--suite autoatack", "did you mean 'autoattack'?"},
      {"--suite 'apgd-ce, sqare'", "did you mean 'square'?"},
      {"--suite 'square(querys=5)'", "did you mean 'square.queries'?"},
      {"--suite 'square, square'", "stands twice"},
      {"--suite 'apgd-ce(targeted=true)'", "targeted"},
      {"--targeted=true", "targeted"},
      {"--suite 'pgd, spatial-grid'", "no norm bounds spatial-grid"},
      {"--shard 3/2", "shard"},
      {"--shard half", "shard"},
      {"--decide 'robst>0.5'", "robst"},
      {"--decide 'robust>=0.5' --order file", "random order"},
      {"--budget soon", "budget: expected a time such as 90s, 10m or 2h, got 'soon'"},
      {"--max-memory lots", "max_memory: expected bytes such as 2G or 512M, got 'lots'"},
      {"--confidence 1", "confidence"},
      {"--compute-batch 0", "compute_batch: expected ≥ 1, got 0"},
  };
  for (const auto& [flags, message] : wrong) {
    const auto text = expect_end(command(flags), 2, message);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << "one line: " << text;
    EXPECT_FALSE(fs::exists(out())) << flags;
  }
}

TEST_F(EvaluateCli, TooLittleMemoryIsTwoAndSaysHowMuchIsNeeded) {
  expect_end(command("--max-memory 1M --name m"), 2, "max_memory: expected at least");
  expect_failed_without_ledger(run("m"));
}

/// An .npz test set of grey noise with labels 0, 1, ..., classes − 1, 0, ...
fs::path noise_data(const fs::path& path, std::int64_t count, std::int64_t classes) {
  io::NpyArray images{.type = io::NpyType::u1, .shape = {count, 28, 28}};
  io::NpyArray labels{.type = io::NpyType::u1, .shape = {count}};
  for (std::int64_t i = 0; i < count * 784; ++i)
    images.data.push_back(static_cast<std::byte>(i * i * 7 % 251));
  for (std::int64_t i = 0; i < count; ++i)
    labels.data.push_back(static_cast<std::byte>(i % classes));
  io::write_npz(path, {{"images", images}, {"labels", labels}});
  return path;
}

TEST_F(EvaluateCliSlow, TooFewClassesAreTwoBeforeTheFirstPassWithTheSuiteThatWorks) {
  models::save_model(temp_ / "three.safetensors", nearest_mean(3));
  const auto data = noise_data(temp_ / "three.npz", 12, 3);
  const auto three = "evaluate " + (temp_ / "three.safetensors").string() + " --data " +
                     data.string() + " --steps 2 --threads 1 --quiet --out " + out().string();
  expect_end(three + " --suite autoattack", 2, "needs 4 classes, the model has 3");
  EXPECT_FALSE(fs::exists(out()));
  const auto text = run_program(three + " --suite autoattack").text;
  const auto begin = text.find("--suite '");
  ASSERT_NE(begin, std::string::npos) << text;
  EXPECT_EQ(text.substr(begin, text.find('\'', begin + 9) + 1 - begin),
            "--suite 'apgd-ce, fab-t, square'");
  EXPECT_EQ(
      run_program(three + " --suite 'apgd-ce(steps=2), fab-t(steps=2), square(queries=3)'").code, 0)
      << "the advice works";
}

TEST_F(EvaluateCliSlow, UnfitOrUnreadableDataAreRefusedBeforeAFolderIsMade) {
  const auto empty = noise_data(temp_ / "empty.npz", 0, 2);
  EXPECT_EQ(run_program(command("--data " + empty.string())).code, 3);
  std::ofstream(temp_ / "broken.npz") << "PK but no archive";
  expect_end(command("--data " + (temp_ / "broken.npz").string()), 3, "broken.npz");
  expect_end(command("--data " + (temp_ / "nowhere").string()), 3, "nowhere");
  const auto eleven = noise_data(temp_ / "eleven.npz", 22, 11);
  expect_end(command("--data " + eleven.string()), 2, "has label 10");
  EXPECT_FALSE(fs::exists(out()));
}

TEST_F(EvaluateCliSlow, ResumingWithTheLedgerOfSomethingElseIsThreeAndKeepsIt) {
  ASSERT_EQ(run_program(command("--name a")).code, 0);
  ASSERT_EQ(run_program(command("--name b", "other")).code, 0);
  ASSERT_EQ(run_program(command("--name c --test-limit 19")).code, 0);
  ASSERT_EQ(run_program(command("--name d --epsilon 0.2")).code, 0);
  for (const auto& [foreign, differs] :
       {std::pair{"b", "model"}, std::pair{"c", "data"}, std::pair{"d", "attack pgd-2"}}) {
    fs::copy_file(run(foreign) / "ledger.sqlite", run("a") / "ledger.sqlite",
                  fs::copy_options::overwrite_existing);
    mark_unfinished(run("a"));
    expect_end("resume --quiet " + run("a").string(), 3, differs);
    EXPECT_EQ(read_json(run("a") / "run.json")["status"], "failed");
    EXPECT_EQ(run_program("ledger diff " + run("a").string() + " " + run(foreign).string()).code, 0)
        << "the ledger is as it was";
  }
}

TEST_F(EvaluateCliSlow, ADamagedLedgerIsThree) {
  ASSERT_EQ(run_program(command("--name a")).code, 0);
  const auto ledger = run("a") / "ledger.sqlite";
  const auto size = fs::file_size(ledger);
  for (const int damage : {0, 1, 2}) {
    mark_unfinished(run("a"));
    if (damage == 0) fs::resize_file(ledger, size / 2);
    if (damage == 1) std::ofstream(ledger) << std::string(5000, 'x');
    if (damage == 2) std::ofstream(ledger) << "SQLite format 3";
    expect_end("resume --quiet " + run("a").string(), 3, "ledger.sqlite");
    expect_end("ledger diff " + run("a").string() + " " + run("a").string(), 3, "ledger.sqlite");
  }
}

TEST_F(EvaluateCliSlow, AResumedRunGivesTheResultOfAnUninterruptedOne) {
  ASSERT_EQ(run_program(command("--name a")).code, 0);
  const auto whole = read_json(run("a") / "run.json")["result"];
  mark_unfinished(run("a"));
  ASSERT_EQ(run_program("resume --quiet " + run("a").string()).code, 0);
  EXPECT_EQ(read_json(run("a") / "run.json")["result"], whole);
}

TEST_F(EvaluateCliSlow, DiskTroubleIsFour) {
  std::ofstream(temp_ / "file") << "in the way";
  expect_end(command("--out " + (temp_ / "file").string()), 4, (temp_ / "file").string());
  expect_end(command("--out /dev/null/runs"), 4, "/dev/null/runs");
  ASSERT_EQ(run_program(command("--name a")).code, 0);
  fs::remove(run("a") / "ledger.sqlite");
  fs::create_directory(run("a") / "ledger.sqlite");
  mark_unfinished(run("a"));
  expect_end("resume --quiet " + run("a").string(), 4, "ledger.sqlite");
}

// As on a full disk: no file may grow beyond 48 blocks of 512 bytes.
TEST_F(EvaluateCliSlow, AFullDiskIsFourAndTheRunCanGoOnAfterwards) {
  ASSERT_EQ(run_program(command("--name whole --test-limit 200")).code, 0);
  expect_end(command("--name full --test-limit 200"), 4, "ledger.sqlite",
             "trap '' XFSZ; ulimit -f 48; ");
  mark_unfinished(run("full"));
  ASSERT_EQ(run_program("resume --quiet " + run("full").string()).code, 0);
  expect_end("ledger diff " + run("whole").string() + " " + run("full").string(), 0, "");
}

TEST_F(EvaluateCli, LogitsThatAreNotFiniteAreFiveWithTheSample) {
  expect_end(command("--name n", "nan"), 5, "sample 0");
  const auto record = read_json(run("n") / "run.json");
  EXPECT_EQ(record["status"], "failed");
  EXPECT_EQ(record["exit_code"], 5);
  EXPECT_FALSE(record.contains("result"));
}

TEST_F(EvaluateCli, AClaimIsAnsweredByTheExitCode) {
  expect_end(command("--decide 'natural>=0.05'"), 0, "");
  expect_end(command("--decide 'robust>=0.999' --epsilon 0.3"), 6, "");
}

TEST_F(EvaluateCliSlow, LedgersAreComparedAndShardsMerged) {
  ASSERT_EQ(run_program(command("--name a")).code, 0);
  ASSERT_EQ(run_program(command("--name b --compute-batch 8")).code, 0);
  ASSERT_EQ(run_program(command("--name c --epsilon 0.1")).code, 0);
  ASSERT_EQ(run_program(command("--name s --shard 1/2")).code, 0);
  ASSERT_EQ(run_program(command("--name t --shard 2/2")).code, 0);
  const auto a = run("a").string(), s = run("s").string(), t = run("t").string();
  expect_end("ledger diff " + a + " " + run("b").string(), 0, "");
  expect_end("ledger diff " + a + " " + run("c").string(), 6, "epsilon");
  expect_end("ledger diff " + a + " " + (temp_ / "none").string(), 3, "none");
  const auto merge = "ledger merge --out " + out().string() + " ";
  expect_end(merge + s, 3, "shard 2 of 2 is missing");
  expect_end(merge + s + " " + s, 3, "given twice");
  expect_end(merge + s + " " + a, 3, "not of a shard");
  expect_end(merge + s + " " + t + " --name whole", 0, "");
  expect_end("ledger diff " + a + " " + run("whole").string(), 0, "");
}

}  // namespace
}  // namespace namid::testing
