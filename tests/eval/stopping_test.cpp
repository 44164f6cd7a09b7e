// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/stopping.h"

#include <nlohmann/json.hpp>

#include "eval/toy.h"
#include "namid/eval/memory.h"
#include "support/temp_folder.h"

namespace namid::eval {
namespace {

TEST(Stopping, ReadsTimesAndRefusesWhatIsNone) {
  EXPECT_EQ(parse_duration("90"), 90);
  EXPECT_EQ(parse_duration("90s"), 90);
  EXPECT_EQ(parse_duration("1.5m"), 90);
  EXPECT_EQ(parse_duration("2h"), 7200);
  for (const auto* text : {"", "m", "10x", "-1s", "0", "1 m", "nan", "inf"})
    EXPECT_HAS(message_of<OptionError>([&] { parse_duration(text); }), "budget: expected a time")
        << text;
}

TEST(Stopping, ReadsSizesAndRefusesWhatIsNone) {
  EXPECT_EQ(parse_bytes("1000"), 1000);
  EXPECT_EQ(parse_bytes("2k"), 2048);
  EXPECT_EQ(parse_bytes("1.5M"), 3 << 19);
  EXPECT_EQ(parse_bytes("2G"), std::int64_t{2} << 30);
  for (const auto* text : {"", "G", "10x", "-1", "0", "2GB", "inf"})
    EXPECT_HAS(message_of<OptionError>([&] { parse_bytes(text); }), "max_memory: expected bytes")
        << text;
}

TEST(Stopping, DecidesOnceItKnowsAndNotBefore) {
  StoppingRule rule({.decide = "robust>=0.5"}, 1000);
  ASSERT_TRUE(rule.active());
  int drawn = 0;
  while (!rule.done()) {
    rule.add(true, drawn % 10 != 0);
    ++drawn;
  }
  EXPECT_GT(drawn, 5);
  EXPECT_LT(drawn, 100) << "0.9 is far above 0.5";
  const auto json = rule.to_json();
  EXPECT_EQ(json["answer"], "yes");
  EXPECT_EQ(json["reason"], "decided");
  EXPECT_EQ(json["drawn"], drawn);
  EXPECT_GE(json["robust"][0].get<double>(), 0.5);
  EXPECT_HAS(json["text"].get<std::string>(), "these 1000 images");
}

TEST(Stopping, StopsWhenTheIntervalIsNarrowAndIsExactAtTheEnd) {
  StoppingRule rule({.until_width = 0.2}, 400);
  int drawn = 0;
  for (; !rule.done(); ++drawn) rule.add(true, drawn % 2 == 0);
  EXPECT_LT(drawn, 400);
  EXPECT_EQ(rule.to_json()["reason"], "narrow enough");
  StoppingRule all({.decide = "robust>=0.5"}, 10);
  for (int i = 0; i < 10; ++i) all.add(true, i % 2 == 0);
  EXPECT_EQ(all.to_json()["answer"], "yes");
  EXPECT_EQ(all.to_json()["robust"][0], all.to_json()["robust"][1]);
}

TEST(Stopping, RefusesOptionsThatMakeNoSense) {
  EXPECT_HAS(message_of<OptionError>([] { StoppingRule({.decide = "robust=1"}, 9); }), "robust");
  EXPECT_HAS(message_of<OptionError>([] { StoppingRule({.budget = "soon"}, 9); }), "budget");
  EXPECT_FALSE(StoppingRule({}, 9).active());
}

class StoppedEvaluation : public ::testing::Test {
 protected:
  nlohmann::json run(const std::string& name, const EvaluateOptions& options) {
    std::filesystem::create_directories(temp_ / name);
    return evaluate_with(
        {.model = model_, .dataset = dataset_, .options = options, .folder = temp_ / name},
        {.name = "toy", .attacks = {noise_attack(0.05)}});
  }
  testing::TempFolder temp_;
  models::Classifier model_ = toy_model();
  data::Dataset dataset_ = toy_data(400);
};

TEST_F(StoppedEvaluation, ADecisionAgreesWithTheCompleteEvaluation) {
  EvaluateOptions options{.compute_batch = 16, .batch_size = 16};
  const auto whole = run("whole", options);
  const double truth = whole["robust"]["accuracy"];
  options.stopping.decide = str("robust>=", truth - 0.15);
  const auto decided = run("decided", options);
  EXPECT_EQ(decided["decision"]["answer"], "yes");
  EXPECT_LT(decided["n"].get<int>(), 400);
  EXPECT_EQ(decided["n"], decided["decision"]["drawn"]);
  EXPECT_LE(decided["decision"]["robust"][0].get<double>(), truth);
  EXPECT_GE(decided["decision"]["robust"][1].get<double>(), truth);
  EXPECT_EQ(decided["robust"]["lower"], decided["decision"]["robust"][0]);
  EXPECT_EQ(decided["robust"]["upper"], decided["headline"]["upper"]);
  EXPECT_EQ(decided["robust"]["interval"], "confidence sequence");
  EXPECT_FALSE(decided["attacks"][0]["robust"].contains("lower")) << "Clopper-Pearson is not valid";
  EXPECT_FALSE(decided["per_class"][0]["robust"].contains("lower"));
  EXPECT_FALSE(whole["robust"].contains("interval"));
  options.stopping.decide = str("robust>=", truth + 0.15);
  EXPECT_EQ(run("no", options)["decision"]["answer"], "no");
}

TEST_F(StoppedEvaluation, TimeRunsOutWithoutADecision) {
  EvaluateOptions options{.compute_batch = 16, .batch_size = 16};
  options.stopping = {.decide = "robust>=0.45", .budget = "1e-9s"};
  const auto result = run("late", options);
  EXPECT_EQ(result["n"], 16) << "one batch at least";
  EXPECT_EQ(result["decision"]["reason"], "out of time");
}

TEST_F(StoppedEvaluation, RefusesAnOrderThatIsNotRandom) {
  EvaluateOptions options{.order = Order::file};
  options.stopping.decide = "robust>=0.45";
  EXPECT_HAS(message_of<OptionError>([&] { run("file", options); }), "random order");
  options = {.shard = "1/2"};
  options.stopping.decide = "robust>=0.45";
  EXPECT_HAS(message_of<OptionError>([&] { run("shard", options); }), "whole data set");
  for (const auto* shard : {"0/2", "3/2", "1", "1/", "/2", "a/b", "1/2/3"})
    EXPECT_HAS(message_of<OptionError>([&] { run("bad", {.shard = shard}); }), "expected i/n");
}

TEST_F(StoppedEvaluation, AResumedRunKeepsTheComputeBatchThatMemoryAllowedAtFirst) {
  EvaluateOptions options{.compute_batch = 5};
  run("small", options);
  options.compute_batch = 64;
  options.max_memory = "20G";  // now there would be room for more
  const auto folder = temp_ / "small";
  const auto result = evaluate_with(
      {.model = model_, .dataset = dataset_, .options = options, .folder = folder, .resume = true},
      {.name = "toy", .attacks = {noise_attack(0.05)}});
  EXPECT_EQ(result["compute_batch"], 5);
}

TEST_F(StoppedEvaluation, ComputeBatchKeepsWithinTheMemoryAsked) {
  EXPECT_EQ(fitting_compute_batch(model_, dataset_, 64, ""), 64);
  EXPECT_EQ(fitting_compute_batch(model_, dataset_, 64, "20G"), 64);
  EXPECT_HAS(message_of<OptionError>([&] { fitting_compute_batch(model_, dataset_, 64, "1M"); }),
             "expected at least");
}

}  // namespace
}  // namespace namid::eval
