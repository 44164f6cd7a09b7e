// SPDX-License-Identifier: Apache-2.0
// `namid curve`: what it gives, and what it says to bad input.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/files.h"
#include "support/nearest_mean.h"
#include "support/program.h"
#include "support/temp_folder.h"

namespace namid::testing {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

class CurveCli : public ::testing::Test {
 protected:
  void SetUp() override { save_means(temp_ / "model.safetensors"); }
  std::string model() const { return (temp_ / "model.safetensors").string(); }
  std::string rest(const std::string& name) const {
    return " --quiet --threads 1 --out " + (temp_ / "runs").string() + " --name " + name;
  }
  fs::path run(const std::string& name, const std::string& command = "curve") const {
    return temp_ / "runs" / command / (name + "-001");
  }
  ProgramResult curve(const std::string& name, const std::string& flags = "") const {
    return run_program("curve " + model() +
                       " --test-limit 16 --compute-batch 16 --curve-attacks "
                       "'fmn(steps=20), deepfool' " +
                       flags + rest(name));
  }
  static void expect_end(const std::string& arguments, int code, const std::string& message) {
    const auto result = run_program(arguments);
    EXPECT_EQ(result.code, code) << arguments << "\n" << result.text;
    EXPECT_NE(result.text.find(message), std::string::npos) << arguments << "\n" << result.text;
  }

  TempFolder temp_;
};

/// run.json names the kernels; the searches find the same norms but for the last digits.
TEST_F(CurveCli, SearchesRunCompiledOrAsTheModelIs) {
  ASSERT_EQ(curve("compiled").code, 0);
  ASSERT_EQ(curve("plain", "--engine off").code, 0);
  const auto record = [&](const std::string& name) {
    return json::parse(bytes_of(run(name) / "run.json"));
  };
  const auto compiled = record("compiled"), plain = record("plain");
  EXPECT_EQ(compiled["engine"]["kernels"], "winograd 0, im2col 0, direct 0");
  EXPECT_TRUE(plain["engine"]["kernels"].is_null());
  EXPECT_NEAR(compiled["result"]["curve"]["median"].get<double>(),
              plain["result"]["curve"]["median"].get<double>(), 1e-3);
}

TEST_F(CurveCli, GivesTheDocumentedCurveAndItsReport) {
  const auto made = curve("a", "--json");
  ASSERT_EQ(made.code, 0) << made.text;
  const auto result = json::parse(made.text.substr(made.text.find('{')));
  const auto& curve = result["curve"];
  EXPECT_EQ(curve["n"], 16);
  EXPECT_EQ(curve["norm"], "linf");
  EXPECT_EQ(curve["points"][0]["robust"], result["natural"]["accuracy"]);
  EXPECT_EQ(curve["points"].back()["robust"].get<double>() * 16, curve["censored"]);
  EXPECT_GE(curve["anchors"].size(), 3u);
  for (const auto& anchor : curve["anchors"]) {
    EXPECT_EQ(anchor["attack"], "apgd-t");
    EXPECT_GE(anchor["disagreement"], 0);
  }
  EXPECT_TRUE(curve["largest_disagreement"].is_object());
  const auto table = bytes_of(run("a") / "curve.csv");
  EXPECT_EQ(table.rfind("epsilon,robust,lower,upper\n0,", 0), 0u) << table;
  ASSERT_EQ(run_program("report " + run("a").string()).code, 0);
  const auto page = bytes_of(run("a") / "report.html");
  for (const auto* part : {"Security curve", "Largest disagreement", "Anchors", "class=\"band\""})
    EXPECT_NE(page.find(part), std::string::npos) << part;
}

TEST_F(CurveCli, AssemblesTheSameCurveFromTheRun) {
  ASSERT_EQ(curve("a").code, 0);
  const auto again = run_program("curve --from " + run("a").string() + rest("b"));
  ASSERT_EQ(again.code, 0) << again.text;
  EXPECT_NE(again.text.find("largest disagreement: "), std::string::npos) << again.text;
  EXPECT_EQ(bytes_of(run("a") / "curve.csv"), bytes_of(run("b") / "curve.csv"));
  EXPECT_EQ(read_json(run("a") / "run.json")["result"]["curve"]["quantiles"],
            read_json(run("b") / "run.json")["result"]["curve"]["quantiles"]);
}

TEST_F(CurveCli, ASweepFallsFromBudgetToBudget) {
  const auto made = run_program("curve " + model() +
                                " --test-limit 16 --compute-batch 16 --epsilons 4/255,1/255,2/255 "
                                "--suite 'apgd-ce(steps=5)' --json" +
                                rest("s"));
  ASSERT_EQ(made.code, 0) << made.text;
  const auto curve = json::parse(made.text.substr(made.text.find('{')))["curve"];
  EXPECT_EQ(curve["kind"], "sweep");
  ASSERT_EQ(curve["points"].size(), 4u);
  EXPECT_EQ(curve["points"][1]["epsilon"], 1. / 255);
  for (std::size_t i = 1; i < 4; ++i)
    EXPECT_LE(curve["points"][i]["robust"], curve["points"][i - 1]["robust"]);
}

TEST_F(CurveCli, ARunCutOffEndsInTheSameLedger) {
  ASSERT_EQ(curve("whole").code, 0);
  ASSERT_EQ(curve("cut").code, 0);
  auto record = read_json(run("cut") / "run.json");  // as one that was killed before its first row
  record["status"] = "running";
  std::ofstream(run("cut") / "run.json") << record;
  for (const auto* file : {"ledger.sqlite", "ledger-timings.sqlite", "curve.csv"})
    fs::remove(run("cut") / file);
  const auto resumed = run_program("resume --quiet " + run("cut").string());
  ASSERT_EQ(resumed.code, 0) << resumed.text;
  EXPECT_EQ(bytes_of(run("cut") / "ledger.sqlite"), bytes_of(run("whole") / "ledger.sqlite"));
  EXPECT_EQ(bytes_of(run("cut") / "curve.csv"), bytes_of(run("whole") / "curve.csv"));
}

TEST_F(CurveCli, SaysWhatIsMissingOrDoesNotFit) {
  expect_end("curve", 2, "namid curve --from RUN");
  expect_end("curve " + model() + " --from x", 2, "leave out MODEL");
  expect_end("curve " + model() + " --epsilons 0.1 --anchors 0.1,0.2,0.3", 2, "no anchors");
  expect_end("curve " + model() + " --anchors 0.1,0.2", 2, "expected 3 or more");
  expect_end("curve " + model() + " --curve-attacks square", 2, "--epsilons");
  expect_end("curve " + model() + " --norm l2 --epsilons 100", 2, "at most 28");
  expect_end("curve --from nowhere", 3, "nowhere");
  const auto evaluated = run_program("evaluate " + model() +
                                     " --test-limit 16 --compute-batch 16 "
                                     "--suite 'apgd-ce(steps=3)'" +
                                     rest("fixed"));
  ASSERT_EQ(evaluated.code, 0) << evaluated.text;
  expect_end("curve --from " + run("fixed", "evaluate").string(), 3,
             "no attack looked for the smallest norm");
}

}  // namespace
}  // namespace namid::testing
