// SPDX-License-Identifier: Apache-2.0
// `namid attack` and `namid verify`.
#include "namid/eval/adversarial_set.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "namid/data/dataset.h"
#include "namid/eval/eight_bit.h"
#include "namid/io/npz.h"
#include "namid/models/weights.h"
#include "support/files.h"
#include "support/program.h"
#include "support/temp_folder.h"

namespace namid::testing {
namespace {

using testing::read_json;

using nlohmann::json;

constexpr const char* kAttack =
    " --epsilon 0.1 --steps 3 --test-limit 60 --threads 1 --quiet --compute-batch 20 ";

/// The program ends with `code` and says `message` (and `another`).
void expect_end(const std::string& arguments, int code, const std::string& message,
                const std::string& another = "") {
  const auto result = run_program(arguments);
  EXPECT_EQ(result.code, code) << arguments << "\n" << result.text;
  for (const auto& part : {message, another})
    EXPECT_NE(result.text.find(part), std::string::npos) << arguments << "\n" << result.text;
}

/// A small trained model, its set of 60 images under PGD, and a copy of it to be tampered with.
class AdversarialSetCli : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TempFolder;
    const auto trained = run_program(
        "train --defense natural --model small_cnn --width 4 --train-limit 512 --batch-size 32 "
        "--lr 0.05 --epochs 3 --threads 1 --quiet --name m --out " +
        folder_->path().string());
    ASSERT_EQ(trained.code, 0) << trained.text;
    const auto attacked = run_program("attack " + model() + kAttack + "--attack pgd --json --out " +
                                      folder_->path().string());
    ASSERT_EQ(attacked.code, 0) << attacked.text;
    result_ = json::parse(attacked.text);
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  static std::string model() { return (*folder_ / "train/m-001").string(); }
  static std::filesystem::path run() { return *folder_ / "attack/pgd-001"; }
  static eval::AdversarialSet original() {
    return eval::read_adversarial_set(run() / "adversarial.npz");
  }
  /// `verify` of this set, with more flags.
  static std::string command(const eval::AdversarialSet& set, const std::string& flags = "") {
    const auto path = *folder_ / "copy.npz";
    eval::write_adversarial_set(path, set);
    return "verify " + path.string() + " " + model() + " --threads 1 --quiet " + flags;
  }
  static std::string command(const io::NpzMembers& members, const std::string& flags = "") {
    const auto path = *folder_ / "copy.npz";
    io::write_npz(path, members);
    return "verify " + path.string() + " " + model() + " --threads 1 --quiet " + flags;
  }
  /// A row that the attack broke.
  static std::int64_t broken_row(const eval::AdversarialSet& set) {
    const auto x = natural();
    const auto moved = (set.x_adv - x).flatten(1).abs().amax(1) > 0;
    return (set.success & moved).nonzero()[0][0].item<std::int64_t>();
  }
  static at::Tensor natural() {
    return data::load_dataset({.test_limit = 60}, data::Part::test).images.to(at::kFloat) / 255;
  }

  static TempFolder* folder_;
  static json result_;
};
TempFolder* AdversarialSetCli::folder_ = nullptr;
json AdversarialSetCli::result_;

TEST_F(AdversarialSetCli, AttackWritesARunAndASetWhoseClaimsHold) {
  EXPECT_EQ(result_["n"], 60);
  EXPECT_GT(result_["fooled"], result_["n"].get<int>() - result_["natural"]["correct"].get<int>());
  EXPECT_EQ(result_["refuted"], 0);
  EXPECT_LE(result_["median_norms"]["linf"], 0.1 + 1e-6);
  const auto record = read_json(run() / "run.json");
  EXPECT_EQ(record["status"], "done");
  EXPECT_EQ(record["options"]["attack"]["name"], "pgd");
  EXPECT_EQ(record["result"]["set"], "adversarial.npz");
  const auto verified = run_program(command(original(), "--json"));
  ASSERT_EQ(verified.code, 0) << verified.text;
  const auto document = json::parse(verified.text);
  EXPECT_EQ(document["confirmed"], result_["fooled"]);
  EXPECT_EQ(document["eight_bit"], result_["eight_bit"]);
  EXPECT_EQ(document["robust"], result_["robust"]);
  EXPECT_EQ(document["model"], "same");
  EXPECT_EQ(document["data"], "same");
  EXPECT_EQ(document["understated"], 0);
  EXPECT_TRUE(document["failures"].empty());
  expect_end(command(original()), 0, "every claim holds");
}

TEST_F(AdversarialSetCli, TheComputeBatchChangesNoVerdict) {
  const auto seven = json::parse(run_program(command(original(), "--json --compute-batch 7")).text);
  const auto all = json::parse(run_program(command(original(), "--json")).text);
  EXPECT_EQ(seven, all);
}

TEST_F(AdversarialSetCli, AnImageOutOfTheBallIsCaught) {
  auto set = original();
  const auto row = broken_row(set);
  const auto x = natural();
  const auto far = (set.x_adv[row] - x[row]).flatten().argmax().item<std::int64_t>();
  set.x_adv[row].flatten()[far] = x[row].flatten()[far] + 0.101f;
  const auto problem = "row " + std::to_string(row) + " (index " + std::to_string(row) +
                       "): outside the ball: linf 0.101 exceeds 0.1 by 0.001";
  expect_end(command(set), 6, problem, "failed 1\n");
  const auto document = json::parse(run_program(command(set, "--json --rows 0")).text);
  ASSERT_EQ(document["failures"].size(), 1u);
  EXPECT_EQ(document["failures"][0]["row"], row);
  EXPECT_NEAR(document["failures"][0]["linf"].get<double>(), 0.101, 1e-6);
  expect_end(command(set, "--epsilon 0.11"), 0, "every claim holds");
}

TEST_F(AdversarialSetCli, AWrongLabelAndAWrongIndexAreCaught) {
  auto set = original();
  const auto row = broken_row(set);
  const auto label = set.y[row].item<std::int64_t>();
  set.y[row] = (label + 1) % 10;
  expect_end(
      command(set), 6,
      "label " + std::to_string((label + 1) % 10) + ": the data set says " + std::to_string(label));
  set = original();
  set.index[row] = 1000000;
  expect_end(command(set), 6, "index 1000000: no such sample");
}

TEST_F(AdversarialSetCli, AFloat64SetFailsInEveryRowUnlessCast) {
  const auto set = original();
  const auto wide = set.x_adv.to(at::kDouble).contiguous();
  const std::vector<std::int64_t> y(set.y.data_ptr<std::int64_t>(),
                                    set.y.data_ptr<std::int64_t>() + set.size());
  const auto success = set.success.to(at::kLong);
  const double epsilon[] = {0.1};
  const io::NpzMembers members{
      {"x_adv", io::npy_array<double>(
                    set.shape, {wide.data_ptr<double>(), static_cast<std::size_t>(wide.numel())})},
      {"y", io::npy_array<std::int64_t>({set.size()}, y)},
      {"success",
       io::npy_array<std::int64_t>({set.size()}, {success.data_ptr<std::int64_t>(), y.size()})},
      {"norm", io::npy_text("linf")},
      {"epsilon", io::npy_array<double>({}, epsilon)}};
  expect_end(command(members), 6, "dtype float64: expected float32", "confirmed 0,");
  expect_end(command(members, "--cast"), 0, "every claim holds");
}

/// An image on the way from x to x_adv, a little behind the boundary, whose 8-bit neighbour is not
/// fooled; undefined if there is none.
at::Tensor undone_by_rounding(const models::Classifier& model, const at::Tensor& x,
                              const at::Tensor& x_adv, std::int64_t label) {
  const auto at_share = [&](double share) { return (x + share * (x_adv - x)).unsqueeze(0); };
  const auto fooled = [&](const at::Tensor& image) {
    return model(image).argmax(1).item<std::int64_t>() != label;
  };
  double low = 0, high = 1;
  for (int i = 0; i < 16; ++i) (fooled(at_share((low + high) / 2)) ? high : low) = (low + high) / 2;
  for (int i = 0; i < 12; ++i) {
    const auto image = at_share(high + i * 1e-3);
    const auto rounded = eval::nearest_eight_bit(x.unsqueeze(0), image, {attacks::Norm::linf, 0.1});
    if (fooled(image) && !fooled(rounded.to(at::kFloat) / 255)) return image.squeeze(0);
  }
  return {};
}

TEST_F(AdversarialSetCli, AnImageThatRoundingUndoesFailsInTheColumnAlone) {
  auto set = original();
  const auto trained = models::load_model(model() + "/model.safetensors");
  const auto x = natural(), broken = set.success.nonzero().flatten();
  at::Tensor undone;
  for (std::int64_t i = 0; i < broken.size(0) && !undone.defined(); ++i) {
    const auto row = broken[i].item<std::int64_t>();
    undone = undone_by_rounding(trained, x[row], set.x_adv[row], set.y[row].item<std::int64_t>());
    if (undone.defined()) set.x_adv[row] = undone;
  }
  ASSERT_TRUE(undone.defined()) << "no image that rounding undoes";
  const auto result = run_program(command(set, "--json"));
  EXPECT_EQ(result.code, 0) << result.text;
  const auto document = json::parse(result.text);
  EXPECT_EQ(document["failed"], 0);
  EXPECT_EQ(document["eight_bit"], result_["eight_bit"].get<int>() - 1);
}

TEST_F(AdversarialSetCli, RowsLimitsWhatIsPrinted) {
  const auto set = original();
  const auto result = run_program(command(set, "--epsilon 0.01 --rows 2"));
  EXPECT_EQ(result.code, 6);
  const auto& text = result.text;
  EXPECT_NE(text.find("more (--rows N, --json)"), std::string::npos) << text;
  std::size_t rows = 0;
  for (auto at = text.find("  row "); at != std::string::npos; at = text.find("  row ", at + 1))
    ++rows;
  EXPECT_EQ(rows, 2u);
}

TEST_F(AdversarialSetCli, AnotherModelIsSaid) {
  const auto trained = run_program(
      "train --defense natural --model small_cnn --width 4 --train-limit 64 --batch-size 32 --seed "
      "5 "
      "--epochs 1 --threads 1 --quiet --name other --out " +
      folder_->path().string());
  ASSERT_EQ(trained.code, 0) << trained.text;
  const auto text = run_program("verify " + (run() / "adversarial.npz").string() + " " +
                                (*folder_ / "train/other-001").string() + " --quiet")
                        .text;
  EXPECT_NE(text.find("note: the set was made with another model"), std::string::npos) << text;
  EXPECT_EQ(text.find("another data"), std::string::npos) << text;
}

TEST_F(AdversarialSetCli, WhatCannotBeReadIsThreeAndWrongUsageTwo) {
  std::ofstream(*folder_ / "broken.npz") << "not a zip archive";
  const auto broken = (*folder_ / "broken.npz").string();
  expect_end("verify " + broken + " " + model(), 3, "expected a zip archive");
  expect_end("verify nowhere.npz " + model(), 3, "nowhere.npz");
  const std::vector<std::int64_t> y{0};
  expect_end(command(io::NpzMembers{{"y", io::npy_array<std::int64_t>({1}, y)}}), 3,
             "expected an array 'x_adv'; there are: y");
  auto set = original();
  set.epsilon = 8;
  expect_end(command(set), 3, "255");
  expect_end(command(original(), "--epsilon 8"), 2, "255");
  expect_end(command(original(), "--norm l3"), 2, "expected one of");
  expect_end(command(original(), "--row 3"), 2, "did you mean '--rows'?");
  set = original();
  set.norm = std::nullopt;
  expect_end(command(set), 2, "does not say it; give --norm");
  expect_end(command(set, "--norm linf"), 0, "every claim holds");
  expect_end("verify " + broken, 2, "MODEL");
  expect_end("verify", 2, "SET");
}

TEST_F(AdversarialSetCli, TheAttacksNameDecidesOnItsOptions) {
  expect_end("attack " + model() + " --attack=pdg --attack-steps 3", 2, "did you mean 'pgd'?");
  expect_end("attack " + model() + " --set attack.name=pdg", 2, "did you mean 'pgd'?");
  std::ofstream(*folder_ / "pdg.toml") << "[attack]\nname = \"pdg\"\n";
  const auto config = " --config " + (*folder_ / "pdg.toml").string();
  expect_end("attack " + model() + config, 2, "did you mean 'pgd'?");
  expect_end("attack " + config + " --attack pgd", 2, "namid attack MODEL");  // flags win
  expect_end("attack " + model() + " --attack pgd --attack-step 3", 2,
             "did you mean '--attack-steps'?");
  expect_end("attack " + model() + " --target-class 3", 2, "not targeted");
  expect_end("attack " + model() + " --steps 0", 2, "steps: expected ≥ 1");
  expect_end("attack nowhere", 3, "no such file or run folder");
  const auto help = run_program("attack --attack pgd --help");
  EXPECT_EQ(help.code, 0);
  EXPECT_NE(help.text.find("--attack-restarts"), std::string::npos) << help.text;
}

TEST_F(AdversarialSetCli, ATargetedSetIsVerifiedAgainstItsTarget) {
  const auto attacked =
      run_program("attack " + model() + kAttack +
                  "--targeted --target-class 3 --json --name t --out " + folder_->path().string());
  ASSERT_EQ(attacked.code, 0) << attacked.text;
  const auto result = json::parse(attacked.text);
  EXPECT_FALSE(result.contains("robust"));
  auto set = eval::read_adversarial_set(*folder_ / "attack/t-001/adversarial.npz");
  EXPECT_TRUE(set.target.eq(3).all().item<bool>());
  expect_end(command(set), 0, "every claim holds");
  set.target.fill_(4);
  expect_end(command(set), 6, "target 4 missed: the model says 3");
}

TEST_F(AdversarialSetCli, EachImageMovesToTheClassThatTargetsAsksFor) {
  const auto out = " --json --out " + folder_->path().string();
  for (const std::string targets : {"least-likely", "random", "all"}) {
    const auto attacked = run_program("attack " + model() + kAttack + "--targets " + targets +
                                      " --name to-" + targets + out);
    ASSERT_EQ(attacked.code, 0) << attacked.text;
    EXPECT_EQ(json::parse(attacked.text)["refuted"], 0) << targets;
    const auto set =
        eval::read_adversarial_set(*folder_ / ("attack/to-" + targets + "-001/adversarial.npz"));
    expect_end(command(set), 0, "every claim holds");
  }
  expect_end("attack " + model() + kAttack + "--targets nearest", 2, "least-likely");
  expect_end("attack " + model() + kAttack + "--attack deepfool --targets random", 2, "target");
}

TEST_F(AdversarialSetCli, InL0TheRadiusCountsEntries) {
  const auto flags = " --test-limit 20 --threads 1 --quiet --json --attack fmn --attack-norm l0 ";
  const auto attacked =
      run_program("attack " + model() + flags + "--epsilon 12 --attack-steps 40 --name few --out " +
                  folder_->path().string());
  ASSERT_EQ(attacked.code, 0) << attacked.text;
  const auto result = json::parse(attacked.text);
  EXPECT_EQ(result["refuted"], 0);
  EXPECT_GT(result["fooled"], result["n"].get<int>() - result["natural"]["correct"].get<int>());
  const auto path = *folder_ / "attack/few-001/adversarial.npz";
  const auto set = eval::read_adversarial_set(path);
  const auto moved = (set.x_adv != natural().slice(0, 0, 20)).flatten(1).sum(1);
  EXPECT_LE(moved.max().item<std::int64_t>(), 12);
  expect_end("verify " + path.string() + " " + model() + " --test-limit 20 --quiet", 0,
             "every claim holds");
  expect_end("attack " + model() + flags + "--epsilon 0.5", 2, "l0 counts the entries");
  expect_end("attack " + model() + " --attack pgd --attack-norm l0 --epsilon 3", 2,
             "norm: expected linf or l2 or l1, got l0");
}

TEST_F(AdversarialSetCli, WhatNoNormBoundsIsWrittenAndVerifiedInTheBoxAlone) {
  const std::string common = " --test-limit 40 --threads 1 --quiet --json --out " +
                             folder_->path().string() + " --attack ";
  for (const std::string attack : {"spatial-grid --attack-rotations 3 --attack-shifts 3",
                                   "spatial-flow --attack-steps 10 --attack-smoothness 0.01"}) {
    const auto ran = run_program("attack " + model() + common + attack);
    ASSERT_EQ(ran.code, 0) << ran.text;
    const auto result = json::parse(ran.text);
    EXPECT_GT(result["fooled"], result["n"].get<int>() - result["natural"]["correct"].get<int>());
    EXPECT_EQ(result["refuted"], 0);
    const auto name = attack.substr(0, attack.find(' '));
    const auto set =
        eval::read_adversarial_set(*folder_ / ("attack/" + name + "-001/adversarial.npz"));
    EXPECT_EQ(set.norm, attacks::Norm::none);
    EXPECT_GT((set.x_adv - natural().narrow(0, 0, 40)).abs().max().item<float>(), 0.1);
    expect_end(command(set, "--test-limit 40"), 0, "every claim holds", "no norm");
    expect_end(command(set, "--test-limit 40 --norm linf --epsilon 0.01"), 6, "outside the ball");
    auto outside = set;
    const auto row = set.success.nonzero()[0][0].item<std::int64_t>();
    outside.x_adv[row][0][0][0] = 1.5;
    expect_end(command(outside, "--test-limit 40"), 6, "outside the box");
  }
  expect_end("attack " + model() + " --attack spatial-grid --epsilon 0.1", 2, "--epsilon");
}

TEST_F(AdversarialSetCli, AnInterruptedAttackStartsAgainAndEndsWithTheSameSet) {
  const auto out = " --name again --out " + folder_->path().string();
  ASSERT_EQ(run_program("attack " + model() + kAttack + out).code, 0);
  const auto folder = *folder_ / "attack/again-001";
  const auto before = io::read_file(folder / "adversarial.npz");
  EXPECT_EQ(before, io::read_file(run() / "adversarial.npz"));
  std::filesystem::remove(folder / "adversarial.npz");
  auto record = read_json(folder / "run.json");
  record["status"] = "interrupted";
  std::ofstream(folder / "run.json") << record;
  expect_end("resume " + folder.string() + " --quiet", 0, "it starts again");
  EXPECT_EQ(io::read_file(folder / "adversarial.npz"), before);
}

TEST_F(AdversarialSetCli, TheRecordedCommandLineGivesTheSameSet) {
  std::string line;
  const auto record = read_json(run() / "run.json");
  for (const auto& word : record["argv"])
    line += (line.empty() ? "" : " ") + word.get<std::string>();
  EXPECT_NE(line.find("--attack-name pgd"), std::string::npos) << line;
  const auto again =
      run_program(line.substr(6) + " --quiet --name replayed --out " + folder_->path().string());
  ASSERT_EQ(again.code, 0) << again.text;
  EXPECT_EQ(io::read_file(*folder_ / "attack/replayed-001/adversarial.npz"),
            io::read_file(run() / "adversarial.npz"));
}

TEST_F(AdversarialSetCli, ASurrogateIsAttackedWhileTheModelJudges) {
  const auto trained = run_program(
      "train --defense natural --model small_cnn --width 4 --train-limit 256 --batch-size 32 "
      "--lr 0.05 --epochs 2 --seed 5 --threads 1 --quiet --name s --out " +
      folder_->path().string());
  ASSERT_EQ(trained.code, 0) << trained.text;
  const auto surrogate = (*folder_ / "train/s-001").string();
  const auto out = " --quiet --json --out " + folder_->path().string();
  const auto attacked = run_program("attack " + model() + " --surrogate " + surrogate + kAttack +
                                    "--name through --json --out " + folder_->path().string());
  ASSERT_EQ(attacked.code, 0) << attacked.text;
  const auto result = json::parse(attacked.text);
  const auto record = read_json(*folder_ / "attack/through-001/run.json");
  EXPECT_EQ(record["surrogate"]["path"], surrogate);
  EXPECT_EQ(record["surrogate"]["sha256"], result["surrogate"]["sha256"]);
  EXPECT_NE(record["surrogate"]["sha256"], record["model"]["sha256"]);
  EXPECT_LE(result["fooled"], result_["fooled"]) << "no more than by an attack on the model";
  expect_end("verify " + (*folder_ / "attack/through-001/adversarial.npz").string() + " " +
                 model() + " --test-limit 60 --quiet",
             0, "");

  const auto flags = " --test-limit 60 --threads 1 --steps 3 --epsilon 0.1 --compute-batch 20";
  const auto evaluated = run_program("evaluate " + model() + " --surrogate " + surrogate + flags +
                                     " --name through" + out);
  ASSERT_EQ(evaluated.code, 0) << evaluated.text;
  const auto found = json::parse(evaluated.text);
  EXPECT_EQ(found["attacks"][0]["name"], "transfer:pgd-3");
  EXPECT_EQ(found["surrogate"]["sha256"], result["surrogate"]["sha256"]);
  expect_end("evaluate " + model() + " --surrogate nowhere" + flags, 3, "nowhere: no such file");
  expect_end(
      "evaluate " + model() + " --surrogate " + surrogate + flags + " --adaptive-estimators here",
      2, "see the model itself");
}

}  // namespace
}  // namespace namid::testing
