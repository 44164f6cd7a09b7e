// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/sampled.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "eval/toy.h"
#include "support/temp_folder.h"

namespace namid::eval {
namespace {

/// The strongest move in the ball of that radius.
AttackEntry strongest_attack(double epsilon, const std::string& name, double budget = 0.3) {
  auto attack = forged_attack(budget, true, [=](const at::Tensor& x, const at::Tensor& y) {
    return strongest(x, y, epsilon);
  });
  attack.name = name;
  return attack;
}

Suite cheap_and_dear() {
  return {.name = "toy",
          .combine = Combine::worst_case,
          .attacks = {strongest_attack(0.05, "cheap"), strongest_attack(0.12, "dear"),
                      strongest_attack(0.2, "dearest")}};
}

class SampledEvaluation : public ::testing::Test {
 protected:
  nlohmann::json run(const std::string& sample_stage, std::uint64_t seed = 0,
                     const std::string& folder = "run", bool resume = false) {
    std::filesystem::create_directories(temp_ / folder);
    return evaluate_with(
        {.model = model_,
         .dataset = dataset_,
         .options = {.seed = seed, .compute_batch = 16, .sample_stage = sample_stage, .gallery = 0},
         .folder = temp_ / folder,
         .resume = resume},
        cheap_and_dear());
  }
  testing::TempFolder temp_;
  models::Classifier model_ = toy_model();
  data::Dataset dataset_ = toy_data(400);
};

TEST_F(SampledEvaluation, AttacksOnlyWhatWasDrawnAndSaysWhatThatTells) {
  const auto result = run("dear=40,dearest=25");
  const auto& sampled = result.at("sampled");
  const auto natural = result.at("natural").at("correct").get<std::int64_t>();
  const auto broken = result.at("attacks")[0].at("broken").get<std::int64_t>();
  EXPECT_EQ(sampled.at("survivors"), natural - broken);
  EXPECT_EQ(sampled.at("drawn"), 25);
  EXPECT_EQ(result.at("attacks")[1].at("attacked"), 40);
  EXPECT_LE(result.at("attacks")[2].at("attacked").get<int>(), 25) << "those left of the 25";
  EXPECT_LT(sampled.at("lower"), sampled.at("upper"));
  EXPECT_LE(sampled.at("upper"), sampled.at("bound"));
}

TEST_F(SampledEvaluation, EverythingDrawnIsTheFullSuite) {
  const auto all = run("dear=400,dearest=400");
  const auto full = run("", 0, "full");
  EXPECT_FALSE(full.contains("sampled"));
  EXPECT_EQ(all.at("robust"), full.at("robust"));
  const double accuracy = full.at("robust").at("accuracy").get<double>();
  for (const auto* key : {"bound", "estimate", "lower", "upper"})
    EXPECT_DOUBLE_EQ(all.at("sampled").at(key).get<double>(), accuracy) << key;
}

TEST_F(SampledEvaluation, TheIntervalHoldsTheFullFigureAtItsRate) {
  const double full = run("", 0, "full").at("robust").at("accuracy").get<double>();
  int held = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const auto sampled = run("dear=40,dearest=40", seed, str("seed-", seed)).at("sampled");
    held += full >= sampled.at("lower").get<double>() && full <= sampled.at("upper").get<double>();
  }
  EXPECT_GE(held, 52) << "95 % of 60 less three standard deviations";
}

TEST_F(SampledEvaluation, AResumedRunDrawsTheSame) {
  const auto first = run("dear=40,dearest=25");
  EXPECT_EQ(run("dear=40,dearest=25", 0, "run", true).at("sampled"), first.at("sampled"));
  EXPECT_EQ(message_of<DataError>([&] {
              run("dear=41,dearest=25", 0, "run", true);
            }).find("no such error"),
            std::string::npos)
      << "a ledger of other stages is refused";
}

TEST(SampledStages, DrawnIdsAreNestedAndDoNotDependOnTheirOrder) {
  std::vector<std::uint64_t> ids;
  for (std::uint64_t id = 0; id < 100; ++id) ids.push_back(1000 + id);
  const auto ten = drawn_ids(ids, 10, 3), twenty = drawn_ids(ids, 20, 3);
  EXPECT_TRUE(std::equal(ten.begin(), ten.end(), twenty.begin()));
  std::reverse(ids.begin(), ids.end());
  EXPECT_EQ(drawn_ids(ids, 10, 3), ten);
  EXPECT_NE(drawn_ids(ids, 10, 4), ten);
  EXPECT_EQ(drawn_ids(ids, 1000, 3).size(), 100u);
  EXPECT_EQ(std::set(twenty.begin(), twenty.end()).size(), 20u);
}

TEST(SampledStages, WrongTextsSayWhatIsExpected) {
  const auto refusal = [](const std::string& text, Suite suite = cheap_and_dear()) {
    return message_of<OptionError>([&] { SampledStages(text, suite); });
  };
  EXPECT_HAS(refusal("dear"), "expected attack=images");
  EXPECT_HAS(refusal("dearest=0"), "dearest: expected a whole number from 1");
  EXPECT_HAS(refusal("dearest=x"), "dearest: expected a whole number");
  EXPECT_HAS(refusal("dearst=3,dearest=3"), "did you mean 'dearest'?");
  EXPECT_HAS(refusal("dear=5"), "expected the sampled attacks last, but dearest follows");
  auto each = cheap_and_dear();
  each.combine = Combine::each;
  EXPECT_HAS(refusal("dear=5,dearest=5", each), "--combine worst_case");
}

}  // namespace
}  // namespace namid::eval
