// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "namid/core/distributions.h"
#include "namid/core/error.h"
#include "namid/core/paired_sequence.h"
#include "namid/core/random.h"
#include "namid/eval/stopping.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace namid::eval {
namespace {

using nlohmann::json;
using testing::message_of;

/// A run in memory: `right` marks robust samples, all of which are natural; ids 0, 1, ...
FinishedRun run_of(const std::vector<int>& robust, const std::string& name = "run") {
  FinishedRun run{.name = name, .record = {}, .identity = {}, .verdicts = {}, .population = {}};
  run.identity = {{"data", "d"},    {"ids", "i"},          {"seed", "7"},
                  {"suite", "pgd"}, {"attacks", "pgd-40"}, {"attack pgd-40", "steps=40"}};
  for (std::size_t i = 0; i < robust.size(); ++i) {
    run.verdicts.ids.push_back(i);
    run.verdicts.natural.push_back(1);
    run.verdicts.robust.push_back(static_cast<std::uint8_t>(robust[i]));
  }
  return run;
}

/// `right` ones among n.
std::vector<int> shares(int right, int n) {
  std::vector<int> all(static_cast<std::size_t>(n));
  for (int i = 0; i < right; ++i) all[static_cast<std::size_t>(i)] = 1;
  return all;
}

/// The first `drawn` of the whole in the order of the seed, as a run that stopped there.
FinishedRun stopped(const std::vector<int>& whole, std::int64_t drawn, std::uint64_t seed = 7) {
  auto run = run_of({});
  run.identity["seed"] = std::to_string(seed);
  run.population = std::ssize(whole);
  auto places = Random(seed, "evaluate/order").permutation(std::ssize(whole), 0);
  places.resize(static_cast<std::size_t>(drawn));
  std::sort(places.begin(), places.end());
  for (const auto place : places) {
    run.verdicts.ids.push_back(static_cast<std::uint64_t>(place));
    run.verdicts.natural.push_back(1);
    run.verdicts.robust.push_back(
        static_cast<std::uint8_t>(whole[static_cast<std::size_t>(place)]));
  }
  return run;
}

TEST(Gate, LimitsOfACompleteRunAreOneSidedClopperPearson) {
  const auto check = check_claim(run_of(shares(463, 1000)), "robust >= 45%");
  EXPECT_EQ(check.claim, "robust>=0.45");
  EXPECT_DOUBLE_EQ(check.value, 0.463);
  // At the lower limit 463 or more have probability alpha, at the upper one 463 or fewer.
  EXPECT_NEAR(1 - binomial_cdf(462, 1000, check.interval.low), 0.05, 1e-7);
  EXPECT_NEAR(binomial_cdf(463, 1000, check.interval.high), 0.05, 1e-7);
  EXPECT_EQ(check.answer, Decision::open) << "46.3 % of 1,000 does not show 45 %";
  EXPECT_FALSE(check.met());
  EXPECT_EQ(check.population, Population::distribution);
}

TEST(Gate, SaysYesAndNoWhereTheLimitsDo) {
  const auto run = run_of(shares(500, 1000));
  EXPECT_EQ(check_claim(run, "robust>=0.45").answer, Decision::yes);
  EXPECT_EQ(check_claim(run, "robust>=0.55").answer, Decision::no);
  EXPECT_EQ(check_claim(run, "robust<0.55").answer, Decision::yes);
  EXPECT_EQ(check_claim(run, "robust<0.45").answer, Decision::no);
  EXPECT_EQ(check_claim(run, "robust>0.5").answer, Decision::open);
  EXPECT_EQ(check_claim(run, "natural>0.99").answer, Decision::yes);
  EXPECT_EQ(check_claim(run_of(shares(463, 1000)), "robust>=0.45", {.alpha = 0.25}).answer,
            Decision::yes);
}

TEST(Gate, RepeatsTheIntervalOfTheStoppingRule) {
  const auto whole = shares(600, 1000);
  for (const auto drawn : {37, 250, 999, 1000}) {
    const auto run = stopped(whole, drawn);
    StoppingRule rule({.decide = "robust>=0.55"}, 1000);
    const auto order = Random(7, "evaluate/order").permutation(1000, 0);
    for (int i = 0; i < drawn; ++i)
      rule.add(true, whole[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] != 0);
    const auto told = rule.to_json();
    const auto check = check_claim(run, "robust>=0.55");
    EXPECT_EQ(check.interval.low, told["robust"][0]);
    EXPECT_EQ(check.interval.high, told["robust"][1]);
    EXPECT_EQ(to_string(check.answer), told["answer"]);
    EXPECT_EQ(check.population, Population::data_set);
  }
}

TEST(Gate, LooksOnceWhereTheOrderIsNotKnown) {
  auto run = stopped(shares(600, 1000), 300);
  const auto ordered = check_claim(run, "robust>=0.3");
  for (auto& id : run.verdicts.ids) id += 5000;
  const auto check = check_claim(run, "robust>=0.3");
  ConfidenceSequence once(1000);
  once.add(std::count(run.verdicts.robust.begin(), run.verdicts.robust.end(), 1), 300);
  EXPECT_EQ(check.interval.low, once.interval().low);
  EXPECT_EQ(check.interval.high, once.interval().high);
  EXPECT_LE(check.interval.low, ordered.interval.low);
}

TEST(Gate, CertifiedClaimsReadTheCertificates) {
  auto run = run_of(shares(500, 1000));
  EXPECT_NE(message_of<DataError>([&] { check_claim(run, "certified>=0.3"); }).find("certificates"),
            std::string::npos);
  run.record["result"]["certificates"]["accuracy"] = {{"correct", 400}, {"accuracy", 0.4}};
  const auto check = check_claim(run, "certified >= 0.37");
  EXPECT_EQ(check.claim, "certified>=0.37");
  EXPECT_EQ(check.answer, Decision::yes);
  EXPECT_NEAR(1 - binomial_cdf(399, 1000, check.interval.low), 0.05, 1e-7);
  run.record["result"]["certificates"]["accuracy"]["accuracy"] = 0.5;
  EXPECT_THROW(check_claim(run, "certified>=0.37"), DataError);
}

/// Of 1,000 images the baseline alone is right on `lost`, the run alone on `won`.
std::pair<FinishedRun, FinishedRun> pair_of(int lost, int won) {
  auto base = shares(500, 1000), run = base;
  for (int i = 0; i < lost; ++i) run[static_cast<std::size_t>(i)] = 0;
  for (int i = 0; i < won; ++i) run[static_cast<std::size_t>(500 + i)] = 1;
  return {run_of(run), run_of(base, "base")};
}

TEST(Gate, DropsOfCompleteRunsArePairedBySample) {
  const auto [same, base] = pair_of(0, 0);
  const auto none = check_drop(same, base, 0.01);
  EXPECT_EQ(none.answer, Decision::yes);
  EXPECT_EQ(none.p, 1);
  // No discordant image: the upper limit leaves 0 of n a probability of alpha / 2.
  EXPECT_NEAR(none.interval.high, 1 - std::pow(0.025, 1e-3), 1e-9);
  const auto [worse, base2] = pair_of(60, 2);
  const auto check = check_drop(worse, base2, 0.01);
  EXPECT_EQ(check.answer, Decision::no);
  EXPECT_DOUBLE_EQ(check.value, 0.058);
  EXPECT_EQ(check.discordant.only_first, 60);
  EXPECT_NEAR(*check.p, 2 * binomial_cdf(2, 62, 0.5), 1e-15);
  const auto [noisy, base3] = pair_of(15, 15);
  EXPECT_EQ(check_drop(noisy, base3, 0.01).answer, Decision::open);
  EXPECT_EQ(check_drop(noisy, base3, 0.05).answer, Decision::yes);
}

TEST(Gate, UnpairedVerdictsWouldNotShowWhatPairedOnesDo) {
  const auto [run, base] = pair_of(3, 0);
  EXPECT_EQ(check_drop(run, base, 0.02).answer, Decision::yes);
  EXPECT_EQ(check_claim(run, "robust>=0.48").answer, Decision::open);
}

TEST(Gate, DropsOfStoppedRunsAreInTheSequenceOfTheirPairs) {
  const auto whole = shares(500, 1000);
  auto worse = whole;
  for (std::size_t i = 0; i < 100; ++i) worse[i] = 0;
  const auto run = stopped(worse, 400), base = run_of(whole, "base");
  const auto check = check_drop(run, base, 0.01);
  EXPECT_EQ(check.images, 400);
  EXPECT_EQ(check.of, 1000);
  EXPECT_EQ(check.answer, Decision::no);
  const auto look = paired_look({check.discordant, 1000}, 0.05);
  EXPECT_EQ(check.interval.low, look.interval.low);
  EXPECT_EQ(check.interval.high, look.interval.high);
  EXPECT_EQ(check.population, Population::data_set);
  const auto both = check_drop(run, stopped(whole, 250), 0.01);
  EXPECT_EQ(both.images, 250);
  EXPECT_EQ(check_drop(stopped(worse, 1000), stopped(whole, 1000, 8), 0.01).interval.low, 0.1)
      << "all images seen: the drop itself";
}

TEST(Gate, RefusesPairsThatAreNoRandomSample) {
  const auto whole = shares(500, 1000);
  const auto run = stopped(whole, 400, 1), base = stopped(whole, 300, 2);
  const auto text = message_of<DataError>([&] { check_drop(run, base, 0.01); });
  EXPECT_NE(text.find("different orders (seeds 2 and 1)"), std::string::npos) << text;
}

TEST(Gate, RefusesOtherDataAndOtherAttacksNamingBothRuns) {
  const auto base = run_of(shares(5, 10), "base");
  const std::pair<const char*, const char*> changes[] = {{"data", "same images"},
                                                         {"ids", "same images"},
                                                         {"suite", "same attacks"},
                                                         {"attack pgd-40", "same attacks"},
                                                         {"attack square", "same attacks"}};
  for (const auto& [key, message] : changes) {
    auto run = run_of(shares(5, 10));
    run.identity[key] = "other";
    const auto text = message_of<DataError>([&] { check_drop(run, base, 0.01); });
    EXPECT_NE(text.find(message), std::string::npos) << key << ": " << text;
    EXPECT_NE(text.find("base and run"), std::string::npos) << text;
  }
  auto run = run_of(shares(5, 10));
  run.record["options"]["attack"]["epsilon"] = 0.1;
  EXPECT_NE(message_of<DataError>([&] { check_drop(run, base, 0.01); }).find("epsilon"),
            std::string::npos);
}

TEST(Gate, ReadsDropsAsShares) {
  EXPECT_EQ(parse_drop("1%"), 0.01);
  EXPECT_EQ(parse_drop("0.01"), 0.01);
  EXPECT_EQ(parse_drop("1/100"), 0.01);
  EXPECT_EQ(parse_drop("0"), 0);
  for (const auto* text : {"", "one", "-1%", "101%", "nan"})
    EXPECT_NE(message_of<OptionError>([&] { parse_drop(text); }).find("max-drop"),
              std::string::npos)
        << text;
}

TEST(Gate, SaysWhatItRestsOn) {
  const auto text = to_text(check_claim(run_of(shares(463, 1000)), "robust>=0.45"));
  EXPECT_EQ(text,
            "robust>=0.45: undecided, so not shown. 46.30 % of 1000 images; one-sided limits "
            "[43.67, 48.95] % at level 0.95 (Clopper-Pearson), of the distribution behind the "
            "images");
  const auto object = to_json(check_claim(run_of(shares(463, 1000)), "robust>=0.45"));
  EXPECT_EQ(object["answer"], "undecided");
  EXPECT_EQ(object["population"], "distribution");
  EXPECT_FALSE(object.contains("p"));
}

/// A run folder of `n` samples, every other one broken.
struct Folder {
  testing::TempFolder temp;
  std::filesystem::path path = temp / "run";
  json record;

  explicit Folder(std::int64_t n = 10) {
    std::filesystem::create_directories(path);
    Ledger ledger(path / "ledger.sqlite",
                  {{"data", "d"}, {"ids", "i"}, {"seed", "0"}, {"attacks", "pgd-40"}});
    auto batch = ledger.begin();
    for (std::int64_t i = 0; i < n; ++i) {
      const auto id = static_cast<std::uint64_t>(i);
      ledger.add({.sample = id, .correct = true});
      ledger.add("pgd-40", {.sample = id, .success = i % 2 == 0, .x_adv_hash = "0"});
    }
    batch.commit();
    ledger.finish(0);
    record = {{"command", "evaluate"}, {"status", "done"}};
    record["result"] = {{"n", n},
                        {"natural", {{"correct", n}}},
                        {"robust", {{"correct", n / 2}}},
                        {"attacks", {{{"name", "pgd-40"}}}}};
  }
  FinishedRun read() const {
    std::ofstream(path / "run.json") << record;
    return read_finished(path);
  }
};

TEST(FinishedRun, HoldsTheLedgersVerdicts) {
  const auto run = Folder().read();
  EXPECT_EQ(run.verdicts.robust, (std::vector<std::uint8_t>{0, 1, 0, 1, 0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(std::count(run.verdicts.natural.begin(), run.verdicts.natural.end(), 1), 10);
  EXPECT_FALSE(run.population);
}

TEST(FinishedRun, RefusesWhatAGateCannotRestOn) {
  const std::pair<std::pair<const char*, json>, const char*> wrong[] = {
      {{"/command", "train"}, "expected the run of namid evaluate"},
      {{"/status", "running"}, "namid resume"},
      {{"/options/shard", "1/2"}, "namid ledger merge"},
      {{"/result/sampled", json::object()}, "--sample-stage"},
      {{"/result/attacks/0/error", "NaN"}, "attack pgd-40 failed"},
      {{"/result/attacks", 3}, "expected a list"},
      {{"/result/n", 11}, "do not agree: /result/n is 11, the ledger has 10"},
      {{"/result/robust/correct", 9}, "do not agree"},
      {{"/result/robust", nullptr}, "is not there"},
      {{"/result/decision", {{"drawn", 9}, {"population", 20}}}, "do not agree"},
      {{"/result/decision", {{"drawn", 10}, {"population", 9}}}, "population"}};
  for (const auto& [change, message] : wrong) {
    Folder folder;
    folder.record[json::json_pointer(change.first)] = change.second;
    const auto text = message_of<DataError>([&] { folder.read(); });
    EXPECT_NE(text.find(message), std::string::npos) << change.first << ": " << text;
    EXPECT_NE(text.find(folder.path.string()), std::string::npos) << text;
  }
}

TEST(FinishedRun, RefusesAnEmptyAndAnAbsentLedger) {
  EXPECT_NE(message_of<DataError>([] { Folder(0).read(); }).find("the ledger is empty"),
            std::string::npos);
  Folder folder;
  std::filesystem::remove(folder.path / "ledger.sqlite");
  EXPECT_NE(message_of<DataError>([&] { folder.read(); }).find("has no ledger.sqlite"),
            std::string::npos);
}

}  // namespace
}  // namespace namid::eval
