// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/masking.h"

#include <cmath>

#include "eval/toy.h"
#include "namid/eval/masking_trials.h"
#include "namid/models/outputs.h"

namespace namid::eval {
namespace {

using nlohmann::json;

class Masking : public ::testing::Test {
 protected:
  /// Of toy data that toy_model classifies correctly.
  static data::Dataset correct_data(std::int64_t count) {
    auto dataset = toy_data(count);
    const auto x = dataset.images.to(at::kFloat) / 255;
    dataset.labels = toy_model()(x).argmax(1);
    return dataset;
  }
  static json report(const models::Classifier& model, const data::Dataset& dataset,
                     const models::Classifier* surrogate = nullptr) {
    return masking_report({.model = model,
                           .dataset = dataset,
                           .attack = {.budget = {attacks::Norm::linf, 0.15}, .steps = 20},
                           .options = {.images = 100, .queries = 200, .noise_draws = 20},
                           .compute_batch = 32,
                           .surrogate = surrogate,
                           .surrogate_path = "runs/train/s-001",
                           .command = [](const std::string& flags) { return "namid " + flags; }});
  }
  static json check(const json& report, const std::string& name) {
    for (const auto& row : report["checks"])
      if (row["name"] == name) return row;
    ADD_FAILURE() << "no check " << name;
    return {};
  }
  static std::string status(const json& report, const std::string& name) {
    return check(report, name).value("status", "");
  }
  data::Dataset dataset_ = correct_data(100);
  models::Classifier honest_ = toy_model();
};

TEST_F(Masking, AnHonestModelPassesEveryCheckThatIsMade) {
  const auto result = report(honest_, dataset_);
  EXPECT_EQ(result["verdict"], "pass") << result.dump(1);
  EXPECT_EQ(result["images"], 100);
  EXPECT_EQ(result["natural"]["correct"], 100);
  EXPECT_EQ(result["checks"].size(), 10u);
  for (const auto& row : result["checks"]) EXPECT_TRUE(row["run_next"].is_null()) << row;
  EXPECT_TRUE(result["broken_by"].empty());
  const auto skipped = check(result, "transfer_beats_white_box");
  EXPECT_EQ(skipped["status"], "skipped");
  EXPECT_HAS(skipped["meaning"].get<std::string>(), "--surrogate");
  // A linear model is broken where |w·x + b| < ε ‖w‖₁: PGD finds all of these.
  const auto x = dataset_.images.to(at::kFloat) / 255;
  const auto reach = toy_weight().abs().sum() * 0.15;
  const auto margin = ((x.flatten(1) * toy_weight()).sum(1) + kToyBias).abs();
  EXPECT_EQ(result["white_box"]["robust"]["correct"], (margin > reach).sum().item<std::int64_t>());
}

TEST_F(Masking, SteepLogitsHideTheGradientOfTheCrossEntropyAlone) {
  const auto steep = model_of([](const at::Tensor& x) { return 1e5 * toy_model()(x); });
  const auto result = report(steep, dataset_);
  EXPECT_EQ(result["verdict"], "fail");
  EXPECT_EQ(status(result, "zero_gradient"), "fail");
  EXPECT_EQ(status(result, "other_loss_beats_white_box"), "fail");
  EXPECT_EQ(status(result, "black_box_beats_white_box"), "fail");
  EXPECT_EQ(status(result, "outputs_are_probabilities"), "pass");
  ASSERT_FALSE(result["broken_by"].empty());
  const auto& strongest = result["broken_by"][0];
  EXPECT_LT(strongest["accuracy_after"], strongest["accuracy_before"]);
  EXPECT_GT(strongest["gain_lower"], 0);
  const auto other = check(result, "other_loss_beats_white_box");
  EXPECT_EQ(other["run_next"], "namid --suite 'pgd(steps=20, loss=margin)'");
  // The margin has the honest model's gradient: the same images are broken.
  const auto found = report(honest_, dataset_)["white_box"]["robust"]["correct"];
  EXPECT_NEAR(other["measured"]["only_other"].get<double>(),
              result["white_box"]["robust"]["correct"].get<double>() - found.get<double>(), 1);
}

TEST_F(Masking, AModelWithoutGradientIsReportedAndSearched) {
  const auto flat = model_of([](const at::Tensor& x) {
    return toy_model()(at::round(x * 20) / 20);  // a gradient of 0
  });
  const auto cut = model_of([](const at::Tensor& x) { return toy_model()(x).detach(); });
  for (const auto& model : {flat, cut}) {
    const auto result = report(model, dataset_);
    EXPECT_EQ(status(result, "zero_gradient"), "fail");
    EXPECT_EQ(check(result, "zero_gradient")["measured"]["share"], 1);
    EXPECT_EQ(status(result, "black_box_beats_white_box"), "fail");
    EXPECT_EQ(status(result, "large_epsilon_is_survived"), "fail");
    EXPECT_HAS(check(result, "zero_gradient")["run_next"].get<std::string>(), "square");
  }
  EXPECT_TRUE(report(cut, dataset_)["white_box"].contains("error"));
}

TEST_F(Masking, ASurrogateWithGradientsUnmasks) {
  const auto flat = model_of([](const at::Tensor& x) { return toy_model()(x).detach(); });
  const auto result = report(flat, dataset_, &honest_);
  const auto transfer = check(result, "transfer_beats_white_box");
  EXPECT_EQ(transfer["status"], "fail");
  EXPECT_EQ(transfer["run_next"], "namid --surrogate runs/train/s-001 --suite 'pgd(steps=20)'");
  EXPECT_EQ(status(report(honest_, dataset_, &honest_), "transfer_beats_white_box"), "pass");
}

TEST_F(Masking, ProbabilitiesAreNamedAndUndone) {
  const auto soft = model_of([](const at::Tensor& x) { return toy_model()(x).softmax(1); });
  const auto result = report(soft, dataset_);
  const auto check_row = check(result, "outputs_are_probabilities");
  EXPECT_EQ(check_row["status"], "fail");
  EXPECT_EQ(check_row["run_next"], "namid --outputs probabilities --suite 'pgd(steps=20)'");
  const auto undone = report(models::with_logits(soft, models::Outputs::probabilities), dataset_);
  EXPECT_EQ(undone["verdict"], "pass") << undone.dump(1);
  EXPECT_EQ(undone["white_box"]["robust"], report(honest_, dataset_)["white_box"]["robust"]);
}

TEST_F(Masking, RandomNumbersAreAveragedAndVotedOn) {
  const auto noisy = model_of([](const at::Tensor& x) {
    return toy_model()(x) + 0.05 * at::randn({x.size(0), 2});
  });
  const auto result = report(noisy, dataset_);
  const auto row = check(result, "stochastic_forward");
  EXPECT_EQ(row["status"], "fail");
  EXPECT_GT(row["measured"]["relative_movement"], 0.01);
  EXPECT_EQ(row["run_next"],
            "namid --verdict-draws 20 --suite 'pgd(steps=20), apgd-ce(steps=20, eot=20)'");
  EXPECT_EQ(status(result, "batch_dependent_output"), "skipped");
}

TEST_F(Masking, ABatchThatMixesIsTakenApart) {
  const auto mixing = model_of([](const at::Tensor& x) {
    return toy_model()(x) + at::tensor({0.f, 1.f}) * x.mean({0, 1, 2, 3});
  });
  auto dataset = correct_data(100);
  const auto result = report(mixing, dataset);
  const auto row = check(result, "batch_dependent_output");
  EXPECT_EQ(row["status"], "fail");
  EXPECT_EQ(row["measured"]["images"], 16);
  EXPECT_EQ(row["run_next"], "namid --compute-batch 1 --suite 'pgd(steps=20)'");
  EXPECT_EQ(status(result, "stochastic_forward"), "pass");
}

TEST_F(Masking, OnlyTheFirstImagesCount) {
  auto dataset = correct_data(60);
  dataset.labels.slice(0, 40).fill_(0);
  const auto result = masking_report({.model = honest_,
                                      .dataset = dataset,
                                      .attack = {.budget = {attacks::Norm::l2, 0.2}, .steps = 5},
                                      .options = {.images = 40, .queries = 20, .noise_draws = 2},
                                      .compute_batch = 16});
  EXPECT_EQ(result["images"], 40);
  EXPECT_EQ(result["natural"]["correct"], 40);
  EXPECT_DOUBLE_EQ(check(result, "large_epsilon_is_survived")["measured"]["epsilon"],
                   std::sqrt(6.0));
}

TEST_F(Masking, BadInputIsRefused) {
  const auto run = [&](MaskingOptions options, attacks::PgdOptions attack,
                       const data::Dataset& data) {
    return message_of<OptionError>([&] {
      masking_report({.model = honest_, .dataset = data, .attack = attack, .options = options});
    });
  };
  EXPECT_HAS(run({.images = 3}, {}, dataset_), "[masking] images: expected");
  EXPECT_HAS(run({.passes = 1}, {}, dataset_), "[masking] passes: expected ≥ 2, got 1");
  EXPECT_HAS(run({}, {.budget = {attacks::Norm::linf, 8}}, dataset_), "255");
  EXPECT_HAS(run({}, {.budget = {attacks::Norm::l0, 2}}, dataset_), "norm");
  EXPECT_HAS(run({}, {.targeted = true}, dataset_), "targeted");
  auto wrong = correct_data(20);
  wrong.labels = 1 - wrong.labels;
  EXPECT_HAS(run({}, {}, wrong), "is right on none of 20 images");
}

TEST(MaskingTrials, TheWholeBoxLiesInTheBall) {
  EXPECT_EQ(whole_box(attacks::Norm::linf, 784), 1);
  EXPECT_EQ(whole_box(attacks::Norm::l2, 784), 28);
  EXPECT_EQ(whole_box(attacks::Norm::l1, 784), 784);
}

TEST(MaskingTrials, TheWordOfASuiteIsReadBackAsTheAttack) {
  const attacks::PgdOptions attack{.budget = {attacks::Norm::l2, 0.5},
                                   .steps = 7,
                                   .step_size = 0.125,
                                   .loss = attacks::AttackLoss::dlr};
  EXPECT_EQ(suite_word(attack), "pgd(steps=7, step_size=0.125, loss=dlr)");
  const auto again = make_suite({.suite = suite_word(attack)}, {.budget = attack.budget});
  EXPECT_EQ(again.attacks.front().options, pgd_entry(attack).options);
}

}  // namespace
}  // namespace namid::eval
