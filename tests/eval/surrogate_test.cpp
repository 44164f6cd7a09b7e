// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/surrogate.h"

#include <nlohmann/json.hpp>

#include "eval/toy.h"
#include "namid/eval/attack_set.h"
#include "namid/models/bfloat16.h"
#include "support/temp_folder.h"

namespace namid::eval {
namespace {

/// Like toy_model, with other weights.
models::Classifier other_model(double tilt) {
  const auto weight = toy_weight() + tilt * at::tensor({1.f, 0.f, -1.f, 0.5f, 0.f, 1.f});
  return models::Classifier(
      [weight](const at::Tensor& x) {
        const auto z = (x.flatten(1) * weight).sum(1) + kToyBias;
        return at::stack({at::zeros_like(z), z}, 1);
      },
      {.name = "other", .num_classes = 2, .input_shape = {1, 2, 3}}, {weight});
}

class SurrogateEvaluation : public ::testing::Test {
 protected:
  nlohmann::json run(const models::Classifier& surrogate, const std::string& folder,
                     bool resume = false) {
    std::filesystem::create_directories(temp_ / folder);
    return evaluate_with({.model = model_,
                          .dataset = dataset_,
                          .options = {.compute_batch = 16, .gallery = 0},
                          .folder = temp_ / folder,
                          .resume = resume},
                         through_surrogate(suite_, surrogate));
  }
  testing::TempFolder temp_;
  models::Classifier model_ = toy_model();
  data::Dataset dataset_ = toy_data(60);
  Suite suite_ = make_suite({.suite = "pgd(steps=5), a3(restarts=4)"},
                            {.budget = {attacks::Norm::linf, 0.05}});
};

TEST_F(SurrogateEvaluation, TheModelJudgesAllImagesAndTheRecordNamesTheSurrogate) {
  const auto surrogate = other_model(0.4);
  const auto result = run(surrogate, "run");
  EXPECT_EQ(result.at("n"), 60);
  EXPECT_EQ(result.at("attacks")[0].at("name"), "transfer:pgd");
  EXPECT_EQ(result.at("surrogate"), surrogate_json(surrogate));
  EXPECT_EQ(result.at("robust").at("accuracy").get<double>(),
            result.at("robust").at("correct").get<double>() / 60)
      << "natural errors and images that the surrogate gets wrong count too";
  const auto identity = Ledger::open(temp_ / "run" / "ledger.sqlite").identity();
  EXPECT_EQ(identity.at("surrogate").size(), 64u);
  EXPECT_EQ(identity.at("attacks"), "transfer:pgd,transfer:a3");
  const auto samples = dataset_.images.to(at::kFloat) / 255;
  std::int64_t right = (model_(samples).argmax(1) == dataset_.labels).sum().item<std::int64_t>();
  EXPECT_EQ(result.at("attacks")[0].at("attacked"), right)
      << "whatever the surrogate makes of them";
  EXPECT_EQ(result.at("attacks")[0].at("refuted"), 0) << "nothing is claimed but for the model";
}

TEST_F(SurrogateEvaluation, ItsOwnSurrogateIsTheDirectAttackAndOthersAreWeaker) {
  const auto own = run(model_, "own"), other = run(other_model(1.5), "other");
  std::filesystem::create_directories(temp_ / "direct");
  auto direct_suite = suite_;
  for (auto& attack : direct_suite.attacks) attack.name = "transfer:" + attack.name;  // its stream
  const auto direct = evaluate_with({.model = model_,
                                     .dataset = dataset_,
                                     .options = {.compute_batch = 16, .gallery = 0},
                                     .folder = temp_ / "direct"},
                                    direct_suite);
  EXPECT_EQ(own.at("robust"), direct.at("robust"));
  EXPECT_GT(other.at("robust").at("correct"), own.at("robust").at("correct"));
}

TEST_F(SurrogateEvaluation, InBFloat16NothingIsAttackedAgainAndTheLedgerKnows) {
  const auto suite = through_surrogate_in_bfloat16(suite_, models::in_bfloat16(other_model(0.4)));
  std::filesystem::create_directories(temp_ / "lowered");
  const auto result = evaluate_with({.model = model_,
                                     .dataset = dataset_,
                                     .options = {.compute_batch = 16, .gallery = 0},
                                     .folder = temp_ / "lowered"},
                                    suite);
  EXPECT_FALSE(result.contains("rescue"));
  EXPECT_EQ(result.at("attacks")[0].at("name"), "transfer:pgd");
  EXPECT_EQ(result.at("attacks")[0].at("refuted"), 0);
  EXPECT_EQ(Ledger::open(temp_ / "lowered" / "ledger.sqlite").identity().at("precision"),
            "bfloat16");
}

TEST_F(SurrogateEvaluation, ResumingWithAnotherSurrogateOrNoneIsRefused) {
  run(other_model(0.4), "run");
  EXPECT_EQ(run(other_model(0.4), "run", true).at("n"), 60);
  EXPECT_HAS(message_of<DataError>([&] { run(other_model(0.3), "run", true); }), "surrogate");
  EXPECT_NE(message_of<DataError>([&] {
              evaluate_with({.model = model_,
                             .dataset = dataset_,
                             .options = {.compute_batch = 16, .gallery = 0},
                             .folder = temp_ / "run",
                             .resume = true},
                            suite_);
            }),
            "no such error");
}

TEST_F(SurrogateEvaluation, ModelsThatDoNotFitAreRefused) {
  const models::Classifier three([](const at::Tensor& x) { return x.flatten(1).narrow(1, 0, 3); },
                                 {.name = "three", .num_classes = 3, .input_shape = {1, 2, 3}});
  EXPECT_HAS(message_of<OptionError>([&] { run(three, "refused"); }),
             "[evaluate] surrogate: expected 2 classes as the model has, got 3");
}

TEST_F(SurrogateEvaluation, AnAdversarialSetHoldsWhatFoolsTheModel) {
  const auto surrogate = other_model(0.4);
  attacks::NamedAttack attack("pgd");
  attack.budget().epsilon = 0.05;
  const auto made = attack_dataset({.model = model_,
                                    .dataset = dataset_,
                                    .attack = attack,
                                    .options = {.compute_batch = 16},
                                    .surrogate = &surrogate});
  EXPECT_TRUE(at::equal(made.set.success, model_(made.set.x_adv).argmax(1) != made.set.y));
  EXPECT_EQ(made.result.at("surrogate"), surrogate_json(surrogate));
  EXPECT_HAS(made.set.options, "surrogate=other surrogate_sha256=" +
                                   surrogate_json(surrogate).at("sha256").get<std::string>());
  EXPECT_EQ(made.result.at("n"), 60);
}

}  // namespace
}  // namespace namid::eval
