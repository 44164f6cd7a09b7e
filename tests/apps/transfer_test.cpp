// SPDX-License-Identifier: Apache-2.0
// `namid transfer`: a matrix of evaluations that share their images.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "namid/data/dataset.h"
#include "namid/models/registry.h"
#include "namid/models/weights.h"
#include "support/files.h"
#include "support/program.h"
#include "support/temp_folder.h"

namespace namid::testing {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// Nearest class mean of training images from `first` on, whose rows the others do not have.
void save_nearest_mean(const fs::path& file, std::int64_t first) {
  const auto model = models::create(
      {.model = "sequential", .layers = "[[layer]]\ntype='flatten'\n[[layer]]\ntype='linear'\n"},
      {1, 28, 28}, 10);
  const auto train = data::load_dataset({.train_limit = first + 700}, data::Part::train);
  const auto x = train.images.narrow(0, first, 700).to(at::kFloat).flatten(1) / 255;
  const auto labels = train.labels.narrow(0, first, 700);
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : model.state_dict())
    for (std::int64_t c = 0; c < 10; ++c) {
      const auto mean = x.index({labels == c}).mean(0);
      tensor[c].copy_(tensor.dim() == 2 ? 2 * mean : -mean.square().sum());
    }
  models::save_model(file, model);
}

class TransferCli : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    models_ = new TempFolder;
    std::int64_t first = 0;
    for (const char* name : {"a", "b", "c"})
      save_nearest_mean(*models_ / (std::string(name) + ".safetensors"),
                        std::exchange(first, first + 700));
  }
  static void TearDownTestSuite() {
    delete models_;
    models_ = nullptr;
  }

  static std::string file(const std::string& model) {
    return (*models_ / (model + ".safetensors")).string();
  }
  /// What every command here has in common.
  std::string common(const std::string& limit = "40") const {
    return " --compute-batch 16 --threads 1 --quiet --test-limit " + limit + " --out " +
           out().string() + " ";
  }
  std::string matrix(const std::string& flags, const std::string& limit = "40") const {
    return "transfer --surrogates " + file("a") + "," + file("b") + " --targets " + file("b") +
           "," + file("c") + common(limit) + flags;
  }
  fs::path out() const { return temp_ / "runs"; }
  fs::path run(const std::string& name) const { return out() / "transfer" / (name + "-001"); }

  static TempFolder* models_;
  TempFolder temp_;
};
TempFolder* TransferCli::models_ = nullptr;

/// Tests that start the program many times.
class TransferCliSlow : public TransferCli {};

constexpr const char* kSuite =
    "--suite 'three=apgd-ce(steps=3), cw(searches=2, steps=4, norm=l2, epsilon=1)' "
    "--epsilon 0.08 --gallery 0";

TEST_F(TransferCliSlow, EveryCellIsTheEvaluationOfItsTargetWithThatSurrogate) {
  const auto made = run_program(matrix(std::string(kSuite) + " --json --name m"));
  ASSERT_EQ(made.code, 0) << made.text;
  const auto result = json::parse(made.text.substr(made.text.find('{')));
  const auto& found = result.at("matrix");
  EXPECT_EQ(found.at("attacks"), (json{"three", "cw"}));
  EXPECT_EQ(found.at("budgets")[1], (json{{"norm", "l2"}, {"epsilon", 1.0}}));
  ASSERT_EQ(found.at("cells").size(), 4u);
  const std::pair<const char*, std::string> columns[] = {
      {"three", "--suite 'apgd-ce(steps=3)' --epsilon 0.08"},
      {"cw", "--suite 'cw(searches=2, steps=4)' --norm l2 --epsilon 1"}};
  for (const auto& cell : found.at("cells")) {
    const std::string surrogate = cell.at("surrogate"), target = cell.at("target");
    EXPECT_EQ(cell.at("white_box"), surrogate == target);
    EXPECT_EQ(cell.at("n"), 40);
    for (const auto& [column, flags] : columns) {
      const auto name = surrogate + target + column;
      const auto alone =
          run_program("evaluate " + file(target) + " --surrogate " + file(surrogate) + common() +
                      flags + " --gallery 0 --name " + name);
      ASSERT_EQ(alone.code, 0) << alone.text;
      const auto own = out() / "evaluate" / (name + "-001");
      const auto shared = run("m") / cell.at("run").get<std::string>() / column;
      EXPECT_EQ(bytes_of(own / "ledger.sqlite"), bytes_of(shared / "ledger.sqlite")) << name;
      const auto expected = read_json(own / "run.json").at("result");
      EXPECT_EQ(cell.at("natural"), expected.at("natural")) << name;
      EXPECT_EQ(cell.at("robust").at(column), expected.at("robust")) << name;
    }
  }
  for (const auto& entry : fs::directory_iterator(run("m")))
    EXPECT_NE(entry.path().extension(), ".sqlite") << "shared images go with their column";
}

TEST_F(TransferCli, ThePaperFormIsPrintedAndWrittenAndReported) {
  const auto made = run_program(matrix("--suite pgd-2 --epsilon 0.08 --name m", "20"));
  ASSERT_EQ(made.code, 0) << made.text;
  EXPECT_NE(made.text.find("surrogate  target  None"), std::string::npos) << made.text;
  EXPECT_NE(made.text.find("b *"), std::string::npos) << made.text;
  EXPECT_NE(bytes_of(run("m") / "table.md").find("| PGD-2"), std::string::npos);
  EXPECT_NE(bytes_of(run("m") / "table.tex").find("b$^*$"), std::string::npos);
  EXPECT_NE(bytes_of(run("m") / "report.html").find("PGD-2: targets by surrogates"),
            std::string::npos);
  const auto record = read_json(run("m") / "run.json");
  EXPECT_EQ(record.at("surrogates")[1].at("sha256"), record.at("targets")[0].at("sha256"));
  EXPECT_EQ(run_program("resume " + run("m").string()).code, 2) << "done";
}

TEST_F(TransferCliSlow, BatchSizeChangesNoLedger) {
  ASSERT_EQ(run_program(matrix(std::string(kSuite) + " --name m")).code, 0);
  ASSERT_EQ(run_program(matrix(std::string(kSuite) + " --batch-size 5 --name n")).code, 0);
  EXPECT_EQ(read_json(run("m") / "run.json").at("result"),
            read_json(run("n") / "run.json").at("result"));
  for (const char* cell : {"a--b", "a--c", "b--b", "b--c"})
    for (const char* column : {"three", "cw"})
      EXPECT_EQ(bytes_of(run("m") / cell / column / "ledger.sqlite"),
                bytes_of(run("n") / cell / column / "ledger.sqlite"));
}

/// Starts the program and kills it `wait` after the cell's ledger has appeared.
int start_and_kill(const std::string& arguments, const fs::path& ledger, int milliseconds) {
  const pid_t child = fork();
  if (child == 0) {
    const auto command =
        std::string("exec ") + NAMID_PROGRAM + " " + arguments + " >/dev/null 2>&1";
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  for (int wait = 0; wait < 6000 && !fs::exists(ledger); ++wait)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST_F(TransferCliSlow, AKilledMatrixGoesOnToTheResultAndLedgersOfAWholeOne) {
  const std::string suite = "--suite 'pgd-60, square(queries=60)' --epsilon 0.08 --gallery 0 ";
  ASSERT_EQ(run_program(matrix(suite + "--name whole", "200")).code, 0);
  const auto whole = read_json(run("whole") / "run.json").at("result");
  int killed = 0;
  for (const auto& [cell, wait] :
       {std::pair{"a--b/pgd-60", 0}, std::pair{"a--c/square", 15}, std::pair{"b--b/pgd-60", 40}}) {
    const auto name = "k" + std::to_string(wait);
    const int code = start_and_kill(matrix(suite + "--name " + name, "200"),
                                    run(name) / cell / "ledger.sqlite", wait);
    if (code != 128 + SIGKILL) continue;  // it was done before
    ++killed;
    const auto resumed = run_program("resume --quiet " + run(name).string());
    ASSERT_EQ(resumed.code, 0) << resumed.text;
    EXPECT_EQ(read_json(run(name) / "run.json").at("result"), whole);
    for (const char* one : {"a--b", "a--c", "b--b", "b--c"})
      for (const char* column : {"pgd-60", "square"})
        EXPECT_EQ(bytes_of(run(name) / one / column / "ledger.sqlite"),
                  bytes_of(run("whole") / one / column / "ledger.sqlite"))
            << one << column;
  }
  EXPECT_GE(killed, 2);
}

TEST_F(TransferCliSlow, WrongInputIsOneErrorBeforeAFolderIsMade) {
  const auto small = models::create({.model = "mlp"}, {1, 14, 14}, 10);
  models::save_model(temp_ / "small.safetensors", small);
  const auto three = models::create({.model = "mlp"}, {1, 28, 28}, 12);
  models::save_model(temp_ / "twelve.safetensors", three);
  fs::copy_file(file("a"), temp_ / "copy.safetensors");
  const auto in_temp = [&](const char* name) { return (temp_ / name).string(); };
  struct Wrong {
    std::string surrogates, targets, flags;
    int code;
    std::string message;
  };
  const Wrong wrong[] = {
      {file("a") + "," + file("a"), file("b"), "", 2, "are the same model; name it once"},
      {file("a"), file("b") + ",x=" + in_temp("copy.safetensors") + "," + file("a"), "", 2,
       "are the same model"},
      {file("a"), in_temp("small.safetensors"), "", 2, "images of shape"},
      {in_temp("twelve.safetensors"), file("a"), "", 2, "surrogate: expected 10 classes"},
      {file("a"), in_temp("nowhere.safetensors"), "", 3, "nowhere.safetensors: no such file"},
      {"", file("a"), "", 2, "expected --surrogates RUN"},
      {file("a"), "", "", 2, "expected --targets RUN"},
      {file("a"), "a=" + file("b"), "", 2, "would both be called 'a'"},
      {file("a"), "b/c=" + file("b"), "", 2, "model's name of letters"},
      {file("a"), file("b"), "--suite 'pgd-40, sqare'", 2, "did you mean 'square'?"},
      {file("a"), file("b"), "--suite 'pgd-4, pgd-4'", 2, "pgd-4 stands twice"},
      {file("a"), file("b"), "--suite 'cw'", 2, "norm: expected l2, got linf"},
      {file("a"), file("b"), "--suite ','", 2, "at least one column"},
      {file("a"), file("b"), "--suite 'square(queries=3'", 2, "unmatched parenthesis"},
      {file("a"), file("b"), "--decide 'robust>=0.5'", 2, "every cell counts all images"},
      {file("a"), file("b"), "--shard 1/2", 2, "shard: not of a matrix"},
      {file("a"), file("b"), "--suit pgd-4", 2, "did you mean '--suite'?"},
  };
  for (const auto& [surrogates, targets, flags, code, message] : wrong) {
    const auto result = run_program("transfer --surrogates '" + surrogates + "' --targets '" +
                                    targets + "'" + common() + flags);
    EXPECT_EQ(result.code, code) << result.text;
    EXPECT_NE(result.text.find(message), std::string::npos) << message << "\n" << result.text;
    EXPECT_EQ(std::count(result.text.begin(), result.text.end(), '\n'), 1) << result.text;
    EXPECT_FALSE(fs::exists(out())) << message;
  }
}

}  // namespace
}  // namespace namid::testing
