// SPDX-License-Identifier: Apache-2.0
// `namid masking`: an honest and a masked model, what it prints and writes, bad input.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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

/// Class means m_c of the training images: `scale` (2 m_c·x − ‖m_c‖²), the nearest mean wins.
void save_means(const fs::path& file, double scale) {
  const auto model = models::create(
      {.model = "sequential", .layers = "[[layer]]\ntype='flatten'\n[[layer]]\ntype='linear'\n"},
      {1, 28, 28}, 10);
  const auto train = data::load_dataset({.train_limit = 1000}, data::Part::train);
  const auto x = train.images.to(at::kFloat).flatten(1) / 255;
  for (const auto& [name, tensor] : model.state_dict()) {
    const at::NoGradGuard no_grad;
    for (std::int64_t c = 0; c < 10; ++c) {
      const auto mean = x.index({train.labels == c}).mean(0);
      const auto& row = tensor[c];
      row.copy_(scale * (tensor.dim() == 2 ? 2 * mean : -mean.square().sum()));
    }
  }
  models::save_model(file, model);
}

class MaskingCli : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    models_ = new TempFolder;
    save_means(*models_ / "honest.safetensors", 1);
    save_means(*models_ / "steep.safetensors", 1e5);
  }
  static void TearDownTestSuite() {
    delete models_;
    models_ = nullptr;
  }
  std::string model(const std::string& name) const {
    return (*models_ / (name + ".safetensors")).string();
  }
  ProgramResult masking(const std::string& flags) const {
    return run_program("masking " + flags + " --epsilon 0.1 --steps 10 --masking-images 40 " +
                       "--masking-queries 60 --masking-noise-draws 5 --compute-batch 20 " +
                       "--threads 1 --quiet --out " + (temp_ / "runs").string());
  }
  fs::path run(const std::string& number) const {
    return temp_ / "runs" / "masking" / ("checks-" + number);
  }
  static TempFolder* models_;
  TempFolder temp_;
};
TempFolder* MaskingCli::models_ = nullptr;

TEST_F(MaskingCli, AnHonestModelPassesAndTheRunFolderSaysSo) {
  const auto done = masking(model("honest"));
  ASSERT_EQ(done.code, 0) << done.text;
  EXPECT_NE(done.text.find("masking: pass"), std::string::npos) << done.text;
  EXPECT_NE(done.text.find("✓ pass  zero_gradient"), std::string::npos) << done.text;
  EXPECT_NE(done.text.find("- skipped  transfer_beats_white_box"), std::string::npos);
  const auto record = read_json(run("001") / "run.json");
  EXPECT_EQ(record["exit_code"], 0);
  EXPECT_EQ(record["result"]["masking"]["checks"].size(), 10u);
  EXPECT_EQ(record["options"]["masking"]["images"], 40);
}

TEST_F(MaskingCli, AMaskedModelIsSixAndItsCommandBreaksIt) {
  const auto done = masking(model("steep") + " --json");
  ASSERT_EQ(done.code, 6) << done.text;
  const auto result = json::parse(done.text);
  EXPECT_EQ(result["masking"]["verdict"], "fail");
  EXPECT_EQ(result["run"], run("001").string());
  const auto before = result["masking"]["white_box"]["robust"]["accuracy"].get<double>();
  ASSERT_FALSE(result["masking"]["broken_by"].empty()) << done.text;
  const auto& breaker = result["masking"]["broken_by"][0];
  EXPECT_LT(breaker["accuracy_after"], before - 0.2);

  const auto command = breaker["command"].get<std::string>();
  ASSERT_EQ(command.rfind("namid evaluate ", 0), 0u) << command;
  const auto again = run_program(command.substr(6) + " --json --quiet --compute-batch 20 --out " +
                                 (temp_ / "runs").string());
  ASSERT_EQ(again.code, 0) << command << "\n" << again.text;
  const auto evaluated = json::parse(again.text);
  EXPECT_EQ(evaluated["n"], 40);
  EXPECT_NEAR(evaluated["robust"]["accuracy"].get<double>(),
              breaker["accuracy_after"].get<double>(), 0.05);

  const auto page = run_program("report " + run("001").string());
  ASSERT_EQ(page.code, 0) << page.text;
  const auto html = bytes_of(run("001") / "report.html");
  EXPECT_NE(html.find("Masked gradients"), std::string::npos);
  EXPECT_NE(html.find("✗ fail"), std::string::npos);
  EXPECT_NE(html.find("other loss beats white box"), std::string::npos);
}

TEST_F(MaskingCli, ASurrogateMakesTheTransferCheck) {
  const auto done = masking(model("steep") + " --json --surrogate " + model("honest"));
  ASSERT_EQ(done.code, 6) << done.text;
  for (const auto& check : json::parse(done.text)["masking"]["checks"])
    if (check["name"] == "transfer_beats_white_box") {
      EXPECT_EQ(check["status"], "fail");
      EXPECT_NE(check["run_next"].get<std::string>().find("--surrogate " + model("honest")),
                std::string::npos);
    }
}

TEST_F(MaskingCli, AnEvaluationAddsTheSameBlockOnlyWhereItIsAskedFor) {
  const auto evaluate = [&](const std::string& flags) {
    const auto done = run_program(
        "evaluate " + model("steep") + " --epsilon 0.1 --steps 10 --test-limit 40 --quiet --json " +
        "--compute-batch 20 --threads 1 --out " + (temp_ / "runs").string() + flags);
    EXPECT_EQ(done.code, 0) << done.text;
    return json::parse(done.text);
  };
  EXPECT_FALSE(evaluate("").contains("masking"));
  const auto result = evaluate(" --masking-checks --masking-queries 60 --masking-noise-draws 5");
  EXPECT_EQ(result["masking"]["verdict"], "fail");
  EXPECT_EQ(result["masking"]["white_box"]["attack"], "pgd-10");
}

TEST_F(MaskingCli, BadInput) {
  const auto expect = [&](const std::string& arguments, int code, const std::string& message) {
    const auto done = run_program("masking " + arguments);
    EXPECT_EQ(done.code, code) << arguments << "\n" << done.text;
    EXPECT_NE(done.text.find(message), std::string::npos) << arguments << "\n" << done.text;
  };
  expect("", 2, "namid masking MODEL");
  expect("nowhere", 3, "no such file or run folder");
  expect(model("honest") + " --masking-images 2", 2, "images: expected");
  expect(model("honest") + " --epsilon 8", 2, "255");
  expect(model("honest") + " --norm l0", 2, "norm: expected linf or l2 or l1, got l0");
  expect(model("honest") + " --targeted", 2, "untargeted");
  expect(model("honest") + " --surrogate nowhere", 3, "no such file or run folder");
}

}  // namespace
}  // namespace namid::testing
