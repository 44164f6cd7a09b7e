// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/drawn_verdicts.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "eval/toy.h"
#include "namid/eval/ledger_merge.h"
#include "support/temp_folder.h"

namespace namid::eval {
namespace {

/// Answers with the classes of `answers` in turn, one a pass, whatever it is shown.
models::Classifier in_turn(std::vector<std::int64_t> answers, std::int64_t classes) {
  auto pass = std::make_shared<std::size_t>(0);
  return model_of(
      [=](const at::Tensor& x) {
        auto z = at::zeros({x.size(0), classes});
        z.select(1, answers[(*pass)++ % answers.size()]).fill_(1);
        return z;
      },
      classes);
}

TEST(Votes, CountTheAnswersOfAllDraws) {
  const auto readings = read_model(in_turn({2, 1, 2, 0, 2, 1, 1}, 3), at::zeros({1, 1, 2, 3}),
                                   at::ones({1}, at::kLong), 7);
  EXPECT_EQ(readings[0].prediction, 1) << "the first of equally frequent classes";
  EXPECT_EQ(readings[0].votes.right, 3);
  EXPECT_EQ(readings[0].votes.most, 3);
  EXPECT_EQ(readings[0].votes.next, 3);
}

TEST(Votes, AreToldApartByABinomialTest) {
  const auto voted = [](std::int64_t most, std::int64_t next, std::int64_t label) {
    const Reading reading{
        .finite = true, .prediction = 1, .margin = 0, .votes = {most, most, next}};
    return drawn_of(reading, reading, label).voted;
  };
  EXPECT_FALSE(voted(10, 0, 1)) << "p = 2 / 2^10";
  EXPECT_TRUE(voted(11, 0, 1)) << "p = 2 / 2^11";
  EXPECT_FALSE(voted(11, 0, 0)) << "another class";
  EXPECT_FALSE(voted(30, 20, 1));
}

/// Answers 1 in its first passes, then not at all.
models::Classifier until(int passes) {
  auto pass = std::make_shared<int>(0);
  return model_of([=](const at::Tensor& x) {
    const auto one = at::full({x.size(0)}, (*pass)++ < passes ? 1.0 : std::nan(""));
    return at::stack({-one, one}, 1);
  });
}

TEST(Votes, ADrawThatIsNotFiniteEndsTheRunWhereverItIs) {
  auto dataset = toy_data(2);
  dataset.labels.fill_(1);
  const std::vector<std::int64_t> rows{0, 1};
  for (const int passes : {3, 12}) {  // of 10 that make the verdict, of 10 that judge
    const auto model = until(passes), attacked = until(1 + passes);
    const auto bench = [&](const auto& of) {
      return Bench{.model = of, .dataset = dataset, .compute_batch = 2, .verdict_draws = 10};
    };
    EXPECT_HAS(message_of<NumericError>([&] { predict(bench(model), rows); }), "sample 1000");
    EXPECT_HAS(
        message_of<NumericError>([&] { attack_rows(bench(attacked), noise_attack(0.1), rows); }),
        "sample 1000");
  }
}

TEST(DrawnVerdicts, AreNoneWhereASampleHasNoDraws) {
  const SampleRow drawn{.sample = 1, .drawn = Drawn{2, 2, true}}, bare{.sample = 2};
  EXPECT_TRUE(DrawnVerdicts({drawn}).complete());
  EXPECT_FALSE(DrawnVerdicts({drawn, bare}).complete());
  EXPECT_FALSE(DrawnVerdicts({}).complete());
}

TEST(DrawnVerdicts, JudgeTheImageThatWasLeastOftenRightByOtherDraws) {
  const auto sample = [](std::uint64_t id, Drawn drawn) {
    return SampleRow{.sample = id, .drawn = drawn};
  };
  const auto attempt = [](std::uint64_t id, std::optional<Drawn> drawn) {
    return AttemptRow{.sample = id, .drawn = drawn};
  };
  DrawnVerdicts verdicts({sample(1, {10, 10, true}), sample(2, {10, 8, true}),
                          sample(3, {7, 4, false}), sample(4, {3, 0, false})});
  verdicts.add(
      {attempt(1, Drawn{2, 5, false}), attempt(2, std::nullopt), attempt(3, Drawn{7, 1, false})});
  verdicts.add({attempt(1, Drawn{3, 0, false}), attempt(2, Drawn{9, 10, true})});
  const auto found = verdicts.to_json(10, true);
  EXPECT_EQ(found.at("draws"), 10);
  EXPECT_DOUBLE_EQ(found.at("natural").at("expected"), (1 + 0.8 + 0.4 + 0) / 4);
  EXPECT_DOUBLE_EQ(found.at("natural").at("voted"), 0.5);
  EXPECT_DOUBLE_EQ(found.at("natural").at("always"), 0.25);
  EXPECT_DOUBLE_EQ(found.at("natural").at("ever"), 0.75);
  const auto& robust = found.at("robust");  // of 1 the first attack, of 2 the second, else natural
  EXPECT_DOUBLE_EQ(robust.at("expected"), (0.5 + 1 + 0.4 + 0) / 4);
  EXPECT_DOUBLE_EQ(robust.at("voted"), 0.25);
  EXPECT_DOUBLE_EQ(robust.at("always"), 0.25);
  EXPECT_DOUBLE_EQ(robust.at("ever"), 0.75);
  const double mean = 0.475;
  const double variance = (0.25 + 1 + 0.16) / 4 - mean * mean;
  EXPECT_NEAR(robust.at("standard_error"), std::sqrt(variance / 4), 1e-12);
  EXPECT_FALSE(verdicts.to_json(10, false).contains("robust"));
}

class DrawnEvaluation : public ::testing::Test {
 protected:
  DrawnEvaluation() { dataset_.labels.fill_(1); }

  nlohmann::json run(const std::vector<AttackEntry>& attacks, const std::string& shard = "",
                     const std::string& folder = "run", bool resume = false) {
    std::filesystem::create_directories(temp_ / folder);
    return evaluate_with(
        {.model = often_right_,
         .dataset = dataset_,
         .options = {.compute_batch = 50, .shard = shard, .verdict_draws = draws_, .gallery = 0},
         .folder = temp_ / folder,
         .resume = resume},
        {.name = "toy", .attacks = attacks});
  }
  Ledger ledger(const std::string& folder = "run") {
    return Ledger::open(temp_ / folder / "ledger.sqlite");
  }

  testing::TempFolder temp_;
  at::Generator generator_ = at::detail::createCPUGenerator(5);
  /// Says 1 with probability 0.7, wherever an image lies.
  models::Classifier often_right_ = model_of([this](const at::Tensor& x) {
    const auto z = 0.7 - at::rand({x.size(0)}, generator_);
    return at::stack({-z, z}, 1);
  });
  data::Dataset dataset_ = toy_data(200);
  int draws_ = 20;
};

TEST_F(DrawnEvaluation, ManyAttemptsDoNotLookLikeSuccess) {
  std::vector<AttackEntry> attacks;
  for (int i = 0; i < 12; ++i) attacks.push_back(noise_attack(0.1, str("noise-", i)));
  const auto result = run(attacks);
  EXPECT_LT(result.at("robust").at("accuracy"), 0.65) << "twelve majorities, one of them is wrong";
  const auto& drawn = result.at("drawn");
  EXPECT_EQ(drawn.at("draws"), 20);
  EXPECT_NEAR(drawn.at("natural").at("expected"), 0.7, 0.03);
  EXPECT_NEAR(drawn.at("robust").at("expected"), 0.7, 0.03);
  const double error = std::sqrt(0.7 * 0.3 / 20 / 200);
  EXPECT_NEAR(drawn.at("robust").at("standard_error"), error, 0.3 * error);
  double selected = 0;
  std::map<std::uint64_t, std::int64_t> least;
  for (const auto& row : ledger().samples()) least[row.sample] = row.drawn->selection;
  for (const auto& attack : attacks)
    for (const auto& row : ledger().attempts(attack.name))
      least[row.sample] = std::min(least[row.sample], row.drawn->selection);
  for (const auto& [sample, right] : least) selected += static_cast<double>(right) / 20 / 200;
  EXPECT_LT(selected, 0.6) << "what the draws that chose the images would say";
}

TEST_F(DrawnEvaluation, ImagesOutsideTheBallAreNotJudged) {
  const auto outside =
      forged_attack(0.1, true, [](const at::Tensor& x, const at::Tensor&) { return x + 0.2; });
  const auto result = run({outside});
  for (const auto& row : ledger().attempts("forged")) EXPECT_FALSE(row.drawn);
  EXPECT_EQ(result.at("drawn").at("robust"), result.at("drawn").at("natural"));
}

TEST_F(DrawnEvaluation, AMergedLedgerHoldsTheDrawsOfItsShards) {
  for (const auto* folder : {"1", "2"}) run({noise_attack(0.1)}, str(folder, "/2"), folder);
  const auto merged = merge_ledgers({temp_ / "1" / "ledger.sqlite", temp_ / "2" / "ledger.sqlite"},
                                    temp_ / "merged.sqlite");
  std::size_t samples = 0, attempts = 0;
  for (const auto* folder : {"1", "2"}) {
    const auto part = ledger(folder);
    const auto all = merged.samples();
    for (const auto& row : part.samples()) {
      ASSERT_TRUE(row.drawn);
      EXPECT_TRUE(std::find(all.begin(), all.end(), row) != all.end()) << row.sample;
      ++samples;
    }
    for (const auto& row : part.attempts("noise")) {
      ASSERT_TRUE(row.drawn);
      for (const auto& other : merged.attempts("noise"))
        if (other.sample == row.sample) attempts += other.drawn == row.drawn;
    }
  }
  EXPECT_EQ(samples, 200);
  EXPECT_EQ(attempts, merged.attempts("noise").size());
}

TEST_F(DrawnEvaluation, AFinishedRunDrawsNothingAnew) {
  const auto first = run({noise_attack(0.1)});
  const auto again = run({noise_attack(0.1)}, "", "run", true);
  EXPECT_EQ(first.at("drawn"), again.at("drawn"));
}

TEST_F(DrawnEvaluation, IsOfModelsThatDrawAlone) {
  often_right_ = toy_model();
  draws_ = 1;
  EXPECT_FALSE(run({noise_attack(0.1)}).contains("drawn"));
  EXPECT_FALSE(ledger().samples()[0].drawn);
}

TEST_F(DrawnEvaluation, ALedgerBegunWithoutDrawsIsRefused) {
  const auto path = temp_ / "old.sqlite";
  const Ledger::Identity identity{{"verdict_draws", "20"}};
  { Ledger begun(path, identity); }
  EXPECT_NO_THROW(Ledger(path, identity));
  Database(path, Database::Mode::create).execute("DROP TABLE draws");
  EXPECT_HAS(message_of<DataError>([&] { Ledger(path, identity); }), "'draws'");
}

}  // namespace
}  // namespace namid::eval
