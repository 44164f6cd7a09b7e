// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/discarding.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "eval/suite_runs.h"

namespace namid::eval {
namespace {

TEST(Discarding, KeepsAShareButNeverFewerThanAHundred) {
  EXPECT_EQ(kept_of(0.7, 1000, 2000), 700);
  EXPECT_EQ(kept_of(0.03, 1000, 2000), 100);
  EXPECT_EQ(kept_of(0.5, 150, 1000), 100);
  EXPECT_EQ(kept_of(0.5, 80, 200), 80);
  EXPECT_EQ(kept_of(0.03, 999, 10000), 999) << "fewer than a tenth are left";
  EXPECT_EQ(kept_of(1, 12345, 20000), 12345);
}

TEST(Discarding, TheNearestToTheBoundaryAreKept) {
  LowestMargins margins;
  margins.add(1, 3);
  margins.add(2, 1);
  margins.add(3, 2);
  margins.add(1, 0.5);
  margins.add(1, 9);
  EXPECT_EQ(margins.nearest({3, 2, 1}, 2), (std::vector<std::uint64_t>{1, 2}));
  margins.add(7, 2);
  EXPECT_EQ(margins.nearest({7, 3, 2, 99}, 2), (std::vector<std::uint64_t>{2, 3})) << "ties by id";
  EXPECT_EQ(margins.nearest({7}, 5).size(), 1u);
}

/// Noise of five rounds, of which the last two attack a third of what is left.
Suite discarding_suite(std::vector<Lesson>* lessons = nullptr) {
  auto attack = noise_attack(0.08);
  attack.rounds = [](std::int64_t) { return 5; };
  attack.run = [](const auto& model, const auto& x, const auto& y, const auto& context) {
    attacks::Context own = context;
    own.random = Random(static_cast<std::uint64_t>(context.round.value_or(0)), "noise");
    return noise_attack(0.08).run(model, x, y, own);
  };
  attack.share = [](int round) { return round < 3 ? 1.0 : 1.0 / 3; };
  if (lessons)
    attack.learn = [lessons, run = attack.run](const Lesson& lesson) {
      lessons->push_back(lesson);
      return run;
    };
  return {.name = "toy", .combine = Combine::worst_case, .attacks = {attack}};
}

class DiscardingEvaluation : public SuiteRuns {
 protected:
  DiscardingEvaluation() : SuiteRuns(toy_model(), toy_data(900)) {}
  std::vector<AttemptRow> attempts(const std::string& folder) {
    return SuiteRuns::attempts(folder, "noise");
  }
  std::map<std::int64_t, std::set<std::uint64_t>> by_round(const std::string& folder) {
    std::map<std::int64_t, std::set<std::uint64_t>> rounds;
    for (const auto& attempt : attempts(folder)) rounds[attempt.round].insert(attempt.sample);
    return rounds;
  }
};

TEST_F(DiscardingEvaluation, LaterRoundsAttackTheLowestMarginsAndTheRestCountAsRobust) {
  const auto result = run(discarding_suite(), "run");
  const auto rounds = by_round("run");
  std::map<std::uint64_t, double> lowest;
  std::set<std::uint64_t> broken;
  const auto ledger = Ledger::open(temp_ / "run" / "ledger.sqlite");
  for (const auto& sample : ledger.samples())
    if (sample.correct) lowest[sample.sample] = sample.margin;
  std::int64_t lost = 0;
  for (const auto& attempt : attempts("run")) {
    lost += attempt.success;
    if (attempt.round > 2) continue;
    lowest[attempt.sample] = std::min(lowest[attempt.sample], attempt.margin);
    if (attempt.success) broken.insert(attempt.sample);
  }
  for (const auto id : broken) lowest.erase(id);
  ASSERT_GT(lowest.size(), 300u) << "so that a third is more than a hundred";
  EXPECT_EQ(rounds.at(3).size(), lowest.size() / 3);
  double highest_kept = -1e9, lowest_left = 1e9;
  for (const auto& [id, margin] : lowest) {
    auto& bound = rounds.at(3).contains(id) ? highest_kept : lowest_left;
    bound = rounds.at(3).contains(id) ? std::max(bound, margin) : std::min(bound, margin);
  }
  EXPECT_LE(highest_kept, lowest_left);
  EXPECT_EQ(result.at("robust").at("correct").get<std::int64_t>(),
            result.at("natural").at("correct").get<std::int64_t>() - lost);
}

TEST_F(DiscardingEvaluation, AnInterruptedRunGoesOnAsIfItHadNotBeen) {
  run(discarding_suite(), "whole");
  int batches = 0;
  run::StopToken stop;
  auto suite = discarding_suite();
  suite.attacks[0].run = [&, inner = suite.attacks[0].run](const auto& model, const auto& x,
                                                           const auto& y, const auto& context) {
    if (context.round == 3 && ++batches == 3) stop.request(15);
    return inner(model, x, y, context);
  };
  EXPECT_THROW(run(suite, "cut", false, &stop), run::Interrupted);
  const auto cut = by_round("cut");
  ASSERT_TRUE(cut.contains(3));
  EXPECT_LT(cut.at(3).size(), by_round("whole").at(3).size()) << "in the midst of a round";
  run(discarding_suite(), "cut", true);
  EXPECT_EQ(attempts("cut"), attempts("whole"));
}

TEST_F(DiscardingEvaluation, TheThirdRoundIsTaughtWhatTheSecondBrokeWhateverTheBatches) {
  std::vector<Lesson> lessons;
  run(discarding_suite(&lessons), "one");
  run(discarding_suite(&lessons), "two", false, nullptr, 50);
  ASSERT_EQ(lessons.size(), 2u);
  std::vector<std::uint64_t> broken;
  for (const auto& attempt : attempts("one"))
    if (attempt.round == 1 && attempt.success) broken.push_back(attempt.sample);
  std::sort(broken.begin(), broken.end());
  ASSERT_GT(broken.size(), 3u);
  EXPECT_EQ(lessons[0].ids, broken);
  EXPECT_EQ(lessons[1].ids, broken);
  EXPECT_EQ(lessons[0].classes, 2);
  EXPECT_TRUE(at::equal(lessons[0].labels, 1 - lessons[0].reached)) << "of two classes";
}

TEST(Discarding, TheProtocolOfA3HasItsSharesAndLearns) {
  const auto suite = make_suite({.suite = "a3"}, {.budget = {attacks::Norm::linf, 0.1}});
  ASSERT_EQ(suite.attacks.size(), 1u);
  const auto& attack = suite.attacks[0];
  EXPECT_EQ(suite.combine, Combine::worst_case);
  EXPECT_EQ(attack.name, "a3");
  EXPECT_EQ(attack.rounds(10), 68);
  EXPECT_EQ(attack.share(2), 1);
  EXPECT_EQ(attack.share(67), 0.03);
  EXPECT_HAS(attack.options, "discarding=true");
  EXPECT_TRUE(attack.learn);
  const auto list = make_suite({.suite = "a3(restarts=3)"}, {.budget = {attacks::Norm::linf, 0.1}});
  EXPECT_FALSE(list.attacks[0].share) << "the attack alone attacks everything";
}

TEST_F(DiscardingEvaluation, NeedsTheWholeDataSet) {
  const auto suite = discarding_suite();
  const auto refusal = [&](EvaluateOptions options) {
    return message_of<OptionError>([&] { check_evaluation(model_, dataset_, suite, options); });
  };
  EXPECT_HAS(refusal({.shard = "1/2"}), "noise: its protocol ranks the images");
  EXPECT_HAS(refusal({.stopping = {.until_width = 0.1}}), "noise: its protocol ranks the images");
}

}  // namespace
}  // namespace namid::eval
