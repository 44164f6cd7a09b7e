// SPDX-License-Identifier: Apache-2.0
// `--precision` of evaluate, attack and transfer: what is recorded, and what a resumed run takes.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "namid/eval/ledger.h"
#include "support/files.h"
#include "support/nearest_mean.h"
#include "support/program.h"
#include "support/temp_folder.h"

namespace namid::testing {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

class PrecisionCli : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    models_ = new TempFolder;
    save_means(*models_ / "a.safetensors");
    save_means(*models_ / "b.safetensors", 2);
  }
  static void TearDownTestSuite() {
    delete models_;
    models_ = nullptr;
  }

  static std::string model(const char* name) {
    return (*models_ / (std::string(name) + ".safetensors")).string();
  }
  std::string rest(const std::string& name, const std::string& limit = "40") const {
    return " --test-limit " + limit + " --compute-batch 16 --epsilon 0.05 --threads 1 --out " +
           (temp_ / "runs").string() + " --name " + name + " ";
  }
  fs::path run(const std::string& name, const std::string& command = "evaluate") const {
    return temp_ / "runs" / command / (name + "-001");
  }
  ProgramResult evaluate(const std::string& name, const std::string& flags) const {
    return run_program("evaluate " + model("a") + " --suite 'pgd(steps=3, restarts=2), " +
                       "apgd-ce(steps=4)' --combine worst_case --quiet " + flags + rest(name));
  }
  json record(const std::string& name, const std::string& command = "evaluate") const {
    return read_json(run(name, command) / "run.json");
  }
  /// As one that was killed before its first row, with another decision in its record.
  void cut(const std::string& name, const json& precision) const {
    auto changed = record(name);
    changed["status"] = "running";
    changed.erase("result");
    changed["precision"] = precision;
    std::ofstream(run(name) / "run.json") << changed;
    for (const auto* file : {"ledger.sqlite", "ledger-timings.sqlite"})
      fs::remove(run(name) / file);
  }
  std::string identity(const std::string& name) const {
    const auto held = eval::Ledger::open(run(name) / "ledger.sqlite").identity();
    const auto found = held.find("precision");
    return found == held.end() ? "" : found->second;
  }

  static TempFolder* models_;
  TempFolder temp_;
};
TempFolder* PrecisionCli::models_ = nullptr;

TEST_F(PrecisionCli, Float32IsTheDefaultAndChangesNothing) {
  ASSERT_EQ(evaluate("default", "").code, 0);
  ASSERT_EQ(evaluate("asked", "--precision float32").code, 0);
  EXPECT_EQ(record("default")["precision"], (json{{"asked", "float32"}, {"taken", "float32"}}));
  EXPECT_EQ(bytes_of(run("default") / "ledger.sqlite"), bytes_of(run("asked") / "ledger.sqlite"));
  EXPECT_EQ(identity("default"), "");
}

TEST_F(PrecisionCli, BFloat16IsRecordedAndItsVerdictsAreFloat32) {
  const auto made = evaluate("low", "--precision bfloat16");
  ASSERT_EQ(made.code, 0) << made.text;
  EXPECT_NE(made.text.find("attacks in bfloat16; again in float32 where the margin was below "),
            std::string::npos)
      << made.text;
  ASSERT_EQ(evaluate("high", "").code, 0);
  const auto low = record("low"), high = record("high");
  const auto& precision = low["precision"];
  EXPECT_EQ(precision["taken"], "bfloat16");
  EXPECT_GT(precision["largest_difference"], 0);
  EXPECT_FALSE(precision.contains("float32_ms"));
  EXPECT_EQ(precision["near"], low["result"]["rescue"]["near"]);
  EXPECT_EQ(identity("low").rfind("bfloat16, near ", 0), 0u) << identity("low");
  EXPECT_EQ(low["result"]["natural"], high["result"]["natural"]);
  const auto samples = [&](const char* name) {
    return eval::Ledger::open(run(name) / "ledger.sqlite").samples();
  };
  EXPECT_EQ(samples("low"), samples("high")) << "margins of natural images are float32";
  EXPECT_NEAR(low["result"]["robust"]["correct"].get<int>(),
              high["result"]["robust"]["correct"].get<int>(), 2);
  ASSERT_EQ(evaluate("again", "--precision bfloat16").code, 0);
  EXPECT_EQ(bytes_of(run("low") / "ledger.sqlite"), bytes_of(run("again") / "ledger.sqlite"));
}

TEST_F(PrecisionCli, AResumedRunTakesTheDecisionOfItsRecord) {
  ASSERT_EQ(evaluate("low", "--precision bfloat16").code, 0);
  const auto near = record("low")["precision"]["near"];
  const auto difference = record("low")["precision"]["largest_difference"];
  for (const bool lowered : {true, false}) {
    const std::string name = lowered ? "to-low" : "to-high";
    ASSERT_EQ(evaluate(name, "--precision auto").code, 0);
    const json decided{{"asked", "auto"},      {"taken", lowered ? "bfloat16" : "float32"},
                       {"float32_ms", 123.25}, {"bfloat16_ms", lowered ? 1.5 : 1000.5},
                       {"near", near},         {"largest_difference", difference}};
    cut(name, decided);
    const auto resumed = run_program("resume --quiet " + run(name).string());
    ASSERT_EQ(resumed.code, 0) << resumed.text;
    EXPECT_EQ(record(name)["precision"], decided) << "nothing was timed again";
    EXPECT_EQ(identity(name), lowered ? identity("low") : "");
  }
  EXPECT_EQ(bytes_of(run("to-low") / "ledger.sqlite"), bytes_of(run("low") / "ledger.sqlite"));
}

TEST_F(PrecisionCli, AutoTimesBothAndSaysSo) {
  const auto made = evaluate("auto", "--precision auto");
  ASSERT_EQ(made.code, 0) << made.text;
  const auto precision = record("auto")["precision"];
  const double float32 = precision["float32_ms"], bfloat16 = precision["bfloat16_ms"];
  EXPECT_GT(float32, 0);
  EXPECT_EQ(precision["taken"], bfloat16 < float32 ? "bfloat16" : "float32");
  EXPECT_NE(made.text.find("precision: the model is attacked in "), std::string::npos);
  EXPECT_EQ(identity("auto").empty(), precision["taken"] == "float32");
}

TEST_F(PrecisionCli, AWrongOrUnfitValueIsOneErrorBeforeAFolderIsMade) {
  const std::pair<const char*, const char*> wrong[] = {
      {"--precision float16", "expected one of float32, bfloat16, auto; got 'float16'"},
      {"--precision bfloat16 --outputs probabilities", "expected float32 with --outputs"},
      {"--precision auto --suite autoattack --compat autoattack", "expected float32 with --compat"},
      {"--precision auto --adaptive-estimators nowhere", "expected float32 with --adaptive"}};
  for (const auto& [flags, message] : wrong) {
    const auto result = run_program("evaluate " + model("a") + " " + flags + rest("w"));
    EXPECT_EQ(result.code, 2) << result.text;
    EXPECT_NE(result.text.find(message), std::string::npos) << result.text;
    EXPECT_FALSE(fs::exists(temp_ / "runs")) << flags;
  }
}

TEST_F(PrecisionCli, AttackWritesASetThatHoldsInFloat32) {
  const auto made =
      run_program("attack " + model("a") + " --precision bfloat16 --quiet" + rest("set", "20"));
  ASSERT_EQ(made.code, 0) << made.text;
  EXPECT_EQ(record("set", "attack")["precision"]["taken"], "bfloat16");
  EXPECT_TRUE(record("set", "attack")["result"].contains("rescue"));
  const auto checked = run_program("verify " + (run("set", "attack") / "adversarial.npz").string() +
                                   " " + model("a") + " --test-limit 20 --threads 1 --quiet");
  EXPECT_EQ(checked.code, 0) << checked.text;
}

TEST_F(PrecisionCli, TransferDecidesForEachSurrogateAndItsCellsAreEvaluations) {
  const auto made =
      run_program("transfer --surrogates " + model("a") + " --targets " + model("b") +
                  " --suite pgd-3 --precision bfloat16 --gallery 0 " + "--quiet" + rest("m"));
  ASSERT_EQ(made.code, 0) << made.text;
  EXPECT_EQ(record("m", "transfer")["surrogates"][0]["precision"]["taken"], "bfloat16");
  const auto cell = run("m", "transfer") / "a--b" / "pgd-3";
  EXPECT_EQ(read_json(cell / "run.json")["precision"]["taken"], "bfloat16");
  const auto alone = run_program("evaluate " + model("b") + " --surrogate " + model("a") +
                                 " --suite pgd --steps 3 --precision bfloat16 --gallery 0 " +
                                 "--quiet" + rest("e"));
  ASSERT_EQ(alone.code, 0) << alone.text;
  EXPECT_EQ(bytes_of(run("e") / "ledger.sqlite"), bytes_of(cell / "ledger.sqlite"));
  EXPECT_EQ(identity("e"), "bfloat16");
  EXPECT_FALSE(record("e")["result"].contains("rescue"));
}

TEST_F(PrecisionCli, AResumedTransferTakesTheDecisionOfEachSurrogate) {
  const auto made = run_program("transfer --surrogates " + model("a") + " --targets " + model("b") +
                                " --suite pgd-3 --precision auto --quiet" + rest("m"));
  ASSERT_EQ(made.code, 0) << made.text;
  const auto folder = run("m", "transfer");
  auto changed = record("m", "transfer");
  const json decided{{"asked", "auto"},    {"taken", "bfloat16"}, {"float32_ms", 123.25},
                     {"bfloat16_ms", 1.5}, {"near", 1.0},         {"largest_difference", 0.1}};
  changed["status"] = "running";
  changed["surrogates"][0]["precision"] = decided;
  std::ofstream(folder / "run.json") << changed;
  fs::remove_all(folder / "a--b");
  const auto resumed = run_program("resume --quiet " + folder.string());
  ASSERT_EQ(resumed.code, 0) << resumed.text;
  EXPECT_EQ(record("m", "transfer")["surrogates"][0]["precision"], decided);
  const auto cell = folder / "a--b" / "pgd-3";
  EXPECT_EQ(read_json(cell / "run.json")["precision"], decided);
  EXPECT_EQ(eval::Ledger::open(cell / "ledger.sqlite").identity().at("precision"), "bfloat16");
}

/// Tests that start the program many times.
class PrecisionCliSlow : public PrecisionCli {};

TEST_F(PrecisionCliSlow, AKilledRunEndsInTheLedgerOfAWholeOne) {
  const auto arguments = [&](const std::string& name) {
    return "evaluate " + model("a") + " --suite 'pgd(steps=40), square(queries=200)' --combine " +
           "worst_case --precision bfloat16 --quiet" + rest(name, "200");
  };
  ASSERT_EQ(run_program(arguments("whole")).code, 0);
  int killed = 0;
  for (const int wait : {0, 30, 100, 200}) {
    const auto name = "k" + std::to_string(wait);
    const pid_t child = fork();
    if (child == 0) {
      const auto command =
          std::string("exec ") + NAMID_PROGRAM + " " + arguments(name) + " >/dev/null 2>&1";
      execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      _exit(127);
    }
    for (int i = 0; i < 6000 && !fs::exists(run(name) / "ledger.sqlite"); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::this_thread::sleep_for(std::chrono::milliseconds(wait));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFSIGNALED(status)) continue;  // it was done before
    ++killed;
    const auto precision = record(name)["precision"];
    const auto resumed = run_program("resume --quiet " + run(name).string());
    ASSERT_EQ(resumed.code, 0) << resumed.text;
    EXPECT_EQ(record(name)["precision"], precision);
    EXPECT_EQ(bytes_of(run(name) / "ledger.sqlite"), bytes_of(run("whole") / "ledger.sqlite"))
        << wait;
  }
  EXPECT_GE(killed, 1);
}

}  // namespace
}  // namespace namid::testing
