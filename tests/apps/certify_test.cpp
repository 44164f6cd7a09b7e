// SPDX-License-Identifier: Apache-2.0
// `namid certify` and `namid evaluate --certify`: what they give, and what they say to bad input.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "namid/data/dataset.h"
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

/// Class means of the training images behind a layer that is never cut off: right for most images,
/// and piecewise linear only in name, so that what can be certified is known to be much.
void save_two_layers(const fs::path& file) {
  const auto model =
      models::create({.model = "sequential",
                      .layers = "[[layer]]\ntype='flatten'\n"
                                "[[layer]]\ntype='linear'\nfeatures=10\n"
                                "[[layer]]\ntype='relu'\n[[layer]]\ntype='linear'\n"},
                     {1, 28, 28}, 10);
  const auto train = data::load_dataset({.train_limit = 1000}, data::Part::train);
  const auto x = train.images.to(at::kFloat).flatten(1) / 255;
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : model.state_dict()) {
    if (name.starts_with("3")) tensor.copy_(tensor.dim() == 2 ? at::eye(10) : at::zeros(10));
    if (!name.starts_with("1")) continue;
    for (std::int64_t c = 0; c < 10; ++c) {
      const auto mean = x.index({train.labels == c}).mean(0);
      const auto& row = tensor[c];
      row.copy_(tensor.dim() == 2 ? 2 * mean : 100 - mean.square().sum());
    }
  }
  models::save_model(file, model);
}

class CertifyCli : public ::testing::Test {
 protected:
  void SetUp() override { save_two_layers(temp_ / "model.safetensors"); }
  std::string model() const { return (temp_ / "model.safetensors").string(); }
  std::string rest(const std::string& name) const {
    return " --quiet --threads 1 --out " + (temp_ / "runs").string() + " --name " + name;
  }
  fs::path run(const std::string& command, const std::string& name) const {
    return temp_ / "runs" / command / (name + "-001");
  }
  ProgramResult certify(const std::string& name, const std::string& flags = "") const {
    return run_program("certify " + model() + " --test-limit 150 --epsilon 0.02 " + flags +
                       rest(name));
  }
  ProgramResult evaluate(const std::string& name, const std::string& flags = "") const {
    return run_program("evaluate " + model() +
                       " --test-limit 150 --compute-batch 50 --attack-steps 5 --epsilon 0.02 " +
                       flags + rest(name));
  }
  static void expect_end(const std::string& arguments, int code, const std::string& message) {
    const auto result = run_program(arguments);
    EXPECT_EQ(result.code, code) << arguments << "\n" << result.text;
    EXPECT_NE(result.text.find(message), std::string::npos) << arguments << "\n" << result.text;
  }

  TempFolder temp_;
};

json document_of(const ProgramResult& made) {
  return json::parse(made.text.substr(made.text.find('{')));
}

TEST_F(CertifyCli, GivesTheDocumentedResult) {
  const auto made = certify("a", "--json");
  ASSERT_EQ(made.code, 0) << made.text;
  const auto result = document_of(made);
  const auto& found = result["certificates"];
  EXPECT_EQ(found["method"], "alpha-crown");
  EXPECT_EQ(found["norm"], "linf");
  EXPECT_EQ(found["epsilon"], 0.02);
  EXPECT_EQ(found["n"], 150);
  EXPECT_EQ(found["broken"], 150 - result["natural"]["correct"].get<int>());
  EXPECT_EQ(
      found["certified"].get<int>() + found["broken"].get<int>() + found["unknown"].get<int>(),
      150);
  EXPECT_EQ(found["accuracy"], found["certified"].get<double>() / 150);
  EXPECT_GT(found["certified"], 30);
  EXPECT_GT(found["unknown"], 0);
  EXPECT_LT(found["lower"], found["accuracy"]);
  EXPECT_GT(found["smallest_margin"], 0);
  EXPECT_GT(found["float32_slack"], 0);
}

TEST_F(CertifyCli, MethodsAndRadiiAreOrdered) {
  const auto count = [&](const std::string& name, const std::string& flags) {
    const auto made = certify(name, "--json " + flags);
    EXPECT_EQ(made.code, 0) << made.text;
    return document_of(made)["certificates"]["certified"].get<int>();
  };
  const auto interval = count("i", "--certify-method interval");
  const auto crown = count("c", "--certify-method crown");
  const auto alpha = count("al", "");
  EXPECT_LE(interval, crown);
  EXPECT_LE(crown, alpha);
  EXPECT_LE(count("box", "--certify-box=false"), alpha);
  EXPECT_LE(count("fp", "--certify-fp32"), alpha);
  EXPECT_GE(count("l2", "--norm l2"), 1);
}

TEST_F(CertifyCli, ARunThatWasKilledEndsInTheSameLedger) {
  ASSERT_EQ(certify("whole").code, 0);
  ASSERT_EQ(certify("cut").code, 0);
  const auto folder = run("certify", "cut");
  // As one that was killed after its first batch of 64.
  const auto edit =
      std::string(NAMID_PYTHON) +
      " -c 'import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute(\"DELETE "
      "FROM certificates WHERE sample NOT IN (SELECT sample FROM certificates ORDER "
      "BY sample LIMIT 64)\"); d.commit()' " +
      (folder / "ledger.sqlite").string();
  ASSERT_EQ(run_command(edit).code, 0);
  auto record = read_json(folder / "run.json");
  record["status"] = "running";
  std::ofstream(folder / "run.json") << record;
  const auto resumed = run_program("resume --quiet " + folder.string());
  ASSERT_EQ(resumed.code, 0) << resumed.text;
  EXPECT_EQ(bytes_of(folder / "ledger.sqlite"),
            bytes_of(run("certify", "whole") / "ledger.sqlite"));
}

TEST_F(CertifyCli, EvaluateTellsBothSides) {
  const auto made = evaluate("two", "--certify crown");
  ASSERT_EQ(made.code, 0) << made.text;
  EXPECT_NE(made.text.find("robust accuracy of these images lies between "), std::string::npos)
      << made.text;
  const auto result = read_json(run("evaluate", "two") / "run.json")["result"];
  const auto& found = result["certificates"];
  EXPECT_GT(found["radius"].get<double>(), 0.02);
  EXPECT_LE(found["certified"], result["robust"]["correct"]);
  EXPECT_EQ(found["broken"], 150 - result["robust"]["correct"].get<int>());
  EXPECT_EQ(result["headline"]["lower"], found["lower"]);
}

TEST_F(CertifyCli, LedgersWithoutCertificatesHaveNoTraceOfThem) {
  ASSERT_EQ(evaluate("plain").code, 0);
  ASSERT_EQ(evaluate("two", "--certify interval").code, 0);
  const auto plain = bytes_of(run("evaluate", "plain") / "ledger.sqlite");
  EXPECT_EQ(plain.find("certif"), std::string::npos);
  const auto diff = run_program("ledger diff " + run("evaluate", "plain").string() + " " +
                                run("evaluate", "two").string());
  EXPECT_EQ(diff.code, 6) << diff.text;
  EXPECT_NE(diff.text.find("certificates that differ: "), std::string::npos) << diff.text;
  EXPECT_NE(diff.text.find("discordant verdicts: 0"), std::string::npos) << diff.text;
}

TEST_F(CertifyCli, ACertifiedSampleThatIsBrokenIsADefectWithItsEvidence) {
  ASSERT_EQ(evaluate("two", "--certify interval").code, 0);
  const auto folder = run("evaluate", "two");
  std::uint64_t certified = 0;
  for (const auto& row : eval::Ledger::open(folder / "ledger.sqlite").certificates())
    if (row.certified) certified = row.sample;
  const auto edit =
      std::string(NAMID_PYTHON) +
      " -c 'import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute(\"UPDATE "
      "attempts SET success = 1 WHERE sample = " +
      std::to_string(certified) + "\"); d.commit()' " + (folder / "ledger.sqlite").string();
  ASSERT_EQ(run_command(edit).code, 0);
  auto record = read_json(folder / "run.json");
  record["status"] = "running";
  std::ofstream(folder / "run.json") << record;
  const auto resumed = run_program("resume --quiet " + folder.string());
  EXPECT_EQ(resumed.code, 1) << resumed.text;
  EXPECT_NE(resumed.text.find("is certified"), std::string::npos) << resumed.text;
  EXPECT_TRUE(fs::exists(folder / ("contradiction-" + std::to_string(certified) + ".safetensors")))
      << resumed.text;
  EXPECT_EQ(read_json(folder / "run.json")["exit_code"], 1);
}

TEST_F(CertifyCli, ExportsWhatIsUnknownForOtherVerifiers) {
  const auto target = temp_ / "questions";
  const auto made = certify("out", "--json --export-unknown " + target.string());
  ASSERT_EQ(made.code, 0) << made.text;
  const auto result = document_of(made);
  EXPECT_EQ(result["exported"]["samples"], result["certificates"]["unknown"]);
  int questions = 0;
  for (const auto& entry : fs::directory_iterator(target)) {
    if (entry.path().extension() != ".vnnlib") continue;
    ++questions;
    const auto text = bytes_of(entry.path());
    EXPECT_NE(text.find("(declare-const X_783 Real)"), std::string::npos);
    EXPECT_FALSE(std::regex_search(text, std::regex("[0-9]e"))) << "a number with an exponent";
  }
  EXPECT_EQ(questions, result["certificates"]["unknown"].get<int>());
  EXPECT_GT(fs::file_size(target / "network.onnx"), 10 * 784 * 4u);
}

TEST_F(CertifyCli, SaysWhatIsMissingOrDoesNotFit) {
  expect_end("certify", 2, "expected the model to certify");
  expect_end("certify " + model() + " --epsilon 8", 2, "epsilon");
  expect_end("certify " + model() + " --norm l0 --epsilon 3", 2, "norm");
  expect_end("certify " + model() + " --certify-method best", 2, "alpha-crown");
  expect_end("certify " + model() + " --norm l2 --export-unknown x", 2, "VNN-LIB holds boxes");
  expect_end("evaluate " + model() + " --certify crown --decide 'robust>=0.5'", 2,
             "leave out the stopping rule");
  const auto pooled = temp_ / "pooled.safetensors";
  models::save_model(pooled, models::create({.model = "small_cnn", .width = 2}, {1, 28, 28}, 10));
  expect_end("certify " + pooled.string(), 2, "max_pool 'max_pool 1'");
  expect_end("evaluate " + pooled.string() + " --certify crown", 2, "max_pool 'max_pool 1'");
}

}  // namespace
}  // namespace namid::testing
