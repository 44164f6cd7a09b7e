// SPDX-License-Identifier: Apache-2.0
#include "namid/report/reproduction.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/eval/ledger.h"
#include "support/temp_folder.h"

namespace namid::report {
namespace {

using testing::TempFolder;

/// `right` of 100 images right, the first ones.
Verdicts verdicts(int right) {
  Verdicts all(100, 0);
  std::fill_n(all.begin(), right, 1);
  return all;
}

MeasuredRow row(const std::string& name, const std::string& defense,
                const std::vector<int>& robust) {
  MeasuredRow made{.name = name,
                   .paper = "Table 1: " + name,
                   .table = "3",
                   .data = "cifar10",
                   .norm = "linf",
                   .defense = defense};
  for (std::size_t s = 0; s < robust.size(); ++s) {
    made.seeds.push_back(s);
    auto& columns = made.verdicts["last"];
    columns["none"].push_back(verdicts(80));
    columns["pgd-40"].push_back(verdicts(robust[s] + 3));
    columns["apgd"].push_back(verdicts(robust[s]));
  }
  return made;
}

TEST(Reproduction, AnEffectOfEverySeedIsResolvedAndItsSizeRight) {
  const std::vector<Verdicts> high(8, verdicts(60)), low(8, verdicts(50));
  const auto effect = compare_seeds(high, low);
  EXPECT_EQ(effect.at("pairs"), 8);
  EXPECT_NEAR(effect.at("mean").get<double>(), 10, 1e-12);
  EXPECT_NEAR(effect.at("p").get<double>(), 2.0 / 256, 1e-12);  // 8 equal signs
  EXPECT_TRUE(effect.at("resolved").get<bool>());
  EXPECT_LT(effect.at("bootstrap").at(0).get<double>(), 10);
  EXPECT_GT(effect.at("bootstrap").at(1).get<double>(), 10);
}

TEST(Reproduction, SeedsThatDisagreeAreNotResolved) {
  std::vector<Verdicts> first, second;
  for (int s = 0; s < 8; ++s) {
    first.push_back(verdicts(50 + (s % 2 ? 4 : -4)));
    second.push_back(verdicts(50));
  }
  const auto effect = compare_seeds(first, second);
  EXPECT_FALSE(effect.at("resolved").get<bool>());
  EXPECT_GT(effect.at("detectable").get<double>(), 4);
}

TEST(Reproduction, FewPairsAndUnequalOnesAreHandled) {
  EXPECT_FALSE(compare_seeds({verdicts(60)}, {verdicts(50)}).contains("p"));
  EXPECT_THROW(compare_seeds({verdicts(60)}, {}), OptionError);
  EXPECT_THROW(compare_seeds({verdicts(60)}, {Verdicts(99, 1)}), OptionError);
}

TEST(Reproduction, RowsHoldPublishedMeasuredAndTheGap) {
  const auto rows =
      reproduction_rows({row("a", "standard", {40, 42}), row("b", "namid", {44, 46, 48})}, "apgd");
  EXPECT_DOUBLE_EQ(rows[0]["published"]["pgd-40"]["mean"], 42.38);
  EXPECT_NEAR(rows[0]["measured"]["last"]["apgd"]["mean"].get<double>(), 41, 1e-12);
  EXPECT_NEAR(rows[1]["measured"]["last"]["gap"]["mean"].get<double>(), 3, 1e-12);
  EXPECT_FALSE(rows[1].contains("against"));
}

TEST(Reproduction, ComparesTheSeedsThatBothRowsHave) {
  auto second = row("b", "namid", {44, 46, 48});
  second.baseline = "a";
  second.seeds = {1, 0, 5};  // seed 1 had 44, seed 0 had 46
  const auto rows = reproduction_rows({row("a", "standard", {40, 42}), second}, "apgd");
  const auto effect = rows[1]["against"]["last"]["apgd"];
  EXPECT_EQ(effect.at("pairs"), 2);
  EXPECT_NEAR(effect.at("mean").get<double>(), ((44 - 42) + (46 - 40)) / 2.0, 1e-12);
}

TEST(Reproduction, TableSaysWhatIsNotAvailableAndWhatFailed) {
  auto failed = row("b", "namid", {});
  failed.failures = {"seed 0: loss: expected a finite number, got nan"};
  const auto rows = reproduction_rows({row("a", "standard", {40, 42}), failed}, "apgd");
  for (const auto format : {TableFormat::text, TableFormat::markdown}) {
    const auto text = reproduction_table(rows, "apgd", format);
    EXPECT_NE(text.find("not available"), std::string::npos) << text;  // FWA-40, TI-DIM
    EXPECT_NE(text.find("83.39 ± 0.95"), std::string::npos) << text;
    EXPECT_NE(text.find("not run"), std::string::npos) << text;
    EXPECT_NE(text.find("failed: Table 1: b, seed 0: loss"), std::string::npos) << text;
  }
}

TEST(Reproduction, ReadsVerdictsFromALedger) {
  const TempFolder folder;
  const auto path = folder / "ledger.sqlite";
  {
    eval::Ledger ledger(path, {{"model", "m"}});
    auto batch = ledger.begin();
    for (std::uint64_t sample = 0; sample < 3; ++sample)
      ledger.add(eval::SampleRow{.sample = sample, .correct = sample != 0});
    ledger.add("pgd-40", {.sample = 1, .success = true});
    ledger.add("pgd-40", {.sample = 2, .success = false});
    batch.commit();
  }
  const auto read = read_verdicts(path);
  EXPECT_EQ(read.natural, (Verdicts{0, 1, 1}));
  EXPECT_EQ(read.robust, (Verdicts{0, 0, 1}));
}

}  // namespace
}  // namespace namid::report
