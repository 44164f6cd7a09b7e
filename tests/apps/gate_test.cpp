// SPDX-License-Identifier: Apache-2.0
// `namid gate` and `namid compare` over evaluations that the program made.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "namid/eval/ledger.h"
#include "namid/models/registry.h"
#include "namid/models/weights.h"
#include "support/files.h"
#include "support/program.h"
#include "support/temp_folder.h"

namespace namid::testing {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// Two models' evaluations, complete and stopped early, and one of fewer images.
class GateCliSlow : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    temp_ = new TempFolder;
    for (const std::string name : {"one", "two"}) {
      const auto model = models::create({.model = "mlp"}, {1, 28, 28}, 10);
      models::save_model(*temp_ / (name + ".safetensors"), model);
    }
    evaluate("one", "one", "--test-limit 40");
    evaluate("two", "two", "--test-limit 40");
    evaluate("one", "stopped", "--test-limit 40 --until-width 0.4 --batch-size 8");
    evaluate("one", "fewer", "--test-limit 20");
    evaluate("one", "weaker", "--test-limit 40 --epsilon 0.01");
  }
  static void TearDownTestSuite() {
    delete temp_;
    temp_ = nullptr;
  }
  static void evaluate(const std::string& model, const std::string& name,
                       const std::string& flags) {
    const auto result =
        run_program("evaluate " + (*temp_ / (model + ".safetensors")).string() +
                    " --quiet --steps 2 " + "--compute-batch 8 --threads 1 --name " + name +
                    " --out " + (*temp_ / "runs").string() + " " + flags);
    ASSERT_EQ(result.code, 0) << result.text;
  }
  static std::string run(const std::string& name) {
    return (*temp_ / "runs" / "evaluate" / (name + "-001")).string();
  }
  static std::string expect_end(const std::string& arguments, int code,
                                const std::string& message) {
    const auto result = run_program(arguments);
    EXPECT_EQ(result.code, code) << arguments << "\n" << result.text;
    EXPECT_NE(result.text.find(message), std::string::npos) << arguments << "\n" << result.text;
    return result.text;
  }
  /// Not 0, which any accuracy reaches.
  static std::string measured(const std::string& name) {
    const auto record = read_json(fs::path(run(name)) / "run.json");
    return std::to_string(std::max(0.01, record["result"]["robust"]["accuracy"].get<double>()));
  }

  static TempFolder* temp_;
};
TempFolder* GateCliSlow::temp_ = nullptr;

TEST_F(GateCliSlow, PassesWhatIsShownAndEndsInSixForTheRest) {
  expect_end("gate " + run("one") + " --decide 'robust<=0.9' --decide 'natural>=0'", 0, "Passed.");
  expect_end("gate " + run("one") + " --decide 'robust>=0.9'", 6, "robust>=0.9: no.");
  expect_end("gate " + run("one") + " --decide 'robust>=" + measured("one") + "'", 6,
             "undecided, so not shown");
  expect_end("gate " + run("one") + " --baseline " + run("one") + " --max-drop 20%", 0, ": yes.");
  expect_end("gate " + run("one") + " --baseline " + run("one") + " --max-drop 1%", 6,
             "undecided, so not shown");
}

TEST_F(GateCliSlow, StoppedRunsRestOnTheConfidenceSequenceOfTheirRule) {
  const auto told = run_program("gate " + run("stopped") + " --decide 'robust<=0.9' --baseline " +
                                run("one") + " --max-drop 1% --json");
  const auto found = json::parse(told.text);
  const auto record = read_json(fs::path(run("stopped")) / "run.json");
  const auto& claim = found["checks"][0];
  EXPECT_EQ(claim["interval"], record["result"]["decision"]["robust"]);
  EXPECT_EQ(claim["method"], "confidence-sequence");
  EXPECT_EQ(claim["images"], record["result"]["decision"]["drawn"]);
  const auto& drop = found["checks"][1];
  EXPECT_EQ(drop["method"], "paired-confidence-sequence");
  EXPECT_EQ(drop["only_baseline"], 0) << "the same model under the same attack";
  EXPECT_EQ(drop["only_run"], 0);
  EXPECT_EQ(told.code, found["met"] == true ? 0 : 6);
}

TEST_F(GateCliSlow, WritesJunitAnewAndAppendsTheSummary) {
  const auto junit = *temp_ / "gate.xml", summary = *temp_ / "summary.md";
  std::ofstream(junit) << "old";
  std::ofstream(summary) << "before\n";
  expect_end("gate " + run("one") + " --decide 'robust>=0.9' --junit " + junit.string() +
                 " --summary " + summary.string(),
             6, "Not passed");
  EXPECT_EQ(bytes_of(junit).rfind("<?xml", 0), 0u);
  EXPECT_NE(bytes_of(junit).find("<failure message=\"robust&gt;=0.9: no\""), std::string::npos);
  EXPECT_EQ(bytes_of(summary).rfind("before\n### Robustness gate: not passed", 0), 0u);
  expect_end("gate " + run("one") + " --decide 'natural>=0' --junit " +
                 (*temp_ / "none" / "x.xml").string(),
             4, "x.xml");
}

TEST_F(GateCliSlow, BadInputSaysWhatToDo) {
  const auto one = run("one"), gate = "gate " + one + " ";
  expect_end(gate, 2, "expected a question");
  expect_end(gate + "--baseline " + one, 2, "expected both or neither");
  expect_end(gate + "--decide 'robst>=1'", 2, "the quantity is natural or robust");
  expect_end(gate + "--decide 'robust>=0.5' --alpha 0.7", 2, "alpha");
  expect_end(gate + "--baseline " + one + " --max-drop much", 2, "max-drop: expected a share");
  expect_end(gate + "--decide 'certified>=0.1'", 3, "has no certificates");
  expect_end(gate + "--baseline " + run("fewer") + " --max-drop 1%", 3,
             "expected the same images of the same data");
  expect_end(gate + "--baseline " + run("weaker") + " --max-drop 1%", 3,
             "expected the same attacks");
  expect_end("gate " + (*temp_ / "nowhere").string() + " --decide 'robust>0'", 3, "nowhere");
}

TEST_F(GateCliSlow, NeedsALedgerWithSamples) {
  const auto copy = *temp_ / "copy";
  fs::remove_all(copy);
  fs::copy(run("one"), copy, fs::copy_options::recursive);
  const auto gate = "gate " + copy.string() + " --decide 'robust>0'";
  fs::remove(copy / "ledger.sqlite");
  expect_end(gate, 3, "has no ledger.sqlite");
  eval::Ledger(copy / "ledger.sqlite", {{"data", "d"}, {"ids", "i"}, {"seed", "0"}}).finish(0);
  expect_end(gate, 3, "the ledger is empty");
  std::ofstream(copy / "ledger.sqlite") << "no database";
  expect_end(gate, 3, "ledger.sqlite");
}

TEST_F(GateCliSlow, ComparisonsArePairedAndRefuseOtherImages) {
  const auto two = "compare " + run("one") + " " + run("two");
  const auto paired = json::parse(run_program(two + " --paired --json").text);
  EXPECT_EQ(paired["runs"].size(), 2u);
  EXPECT_EQ(paired["paired"].size(), 2u);
  const auto page = *temp_ / "page.html";
  EXPECT_EQ(run_program(two + " --format html --paired --out-file " + page.string()).text, "");
  EXPECT_EQ(bytes_of(page).rfind("<!DOCTYPE html>", 0), 0u);
  expect_end(two + " --format latex", 0, "& None & PGD-2 \\\\");
  expect_end(two + " --format pdf", 2, "latex");
  expect_end("compare " + run("one") + " " + run("fewer"), 3, "evaluated on different images");
  expect_end("compare " + run("one") + " --paired", 3, "at least two");
}

/// The commands of the workflow that users copy are commands of this program.
TEST_F(GateCliSlow, TheExampleWorkflowUsesFlagsThatExist) {
  const auto workflow = bytes_of(fs::path(NAMID_SOURCE_DIR) / "examples/ci/robustness.yml");
  const std::regex flag("--[a-z]+(-[a-z]+)*");
  std::string help;
  for (const auto* command : {"evaluate", "gate", "report"}) {
    EXPECT_NE(workflow.find(std::string("namid ") + command), std::string::npos) << command;
    help += run_program(std::string(command) + " --help").text;
  }
  int flags = 0;
  for (std::sregex_iterator it(workflow.begin(), workflow.end(), flag), end; it != end; ++it) {
    EXPECT_NE(help.find(it->str()), std::string::npos) << it->str();
    ++flags;
  }
  EXPECT_GE(flags, 9);
}

}  // namespace
}  // namespace namid::testing
