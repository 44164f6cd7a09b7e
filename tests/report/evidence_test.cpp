// SPDX-License-Identifier: Apache-2.0
#include "namid/report/evidence.h"

#include <gtest/gtest.h>

#include "report/has.h"
#include "report/page.h"
#include "report/sample_run.h"
#include "support/temp_folder.h"

namespace namid::report {
namespace {

using namid::testing::TempFolder;
using nlohmann::json;
using testing::has;
using testing::page_of;

eval::AttemptRow attempt(std::uint64_t sample, bool success, double linf, std::int64_t round = 0) {
  eval::AttemptRow row{.sample = sample, .round = round, .success = success};
  row.linf = linf;
  row.l2 = 10 * linf;
  row.x_adv_hash = "0000000000000000";
  return row;
}

/// Samples 0 to 9, sample 9 misclassified; "weak" breaks 0 and 1, "strong" 1, 2 and 3.
void write_ledger(const std::filesystem::path& folder) {
  eval::Ledger ledger(folder / "ledger.sqlite", {{"model", "m"}});
  auto transaction = ledger.begin();
  for (std::uint64_t sample = 0; sample < 10; ++sample)
    ledger.add({.sample = sample,
                .label = static_cast<std::int64_t>(sample % 2),
                .prediction = 0,
                .correct = sample < 9,
                .margin = 1});
  for (std::uint64_t sample = 0; sample < 9; ++sample) {
    ledger.add("weak", attempt(sample, sample < 2, 0.05));
    ledger.add("strong", attempt(sample, sample > 0 && sample < 4, 0.08));
    ledger.add("strong", attempt(sample, sample == 3, 0.02, 1));
  }
  transaction.commit();
  ledger.finish(0);
}

json two_attacks(const char* combine) {
  json record = namid::testing::evaluation_record();
  record["result"]["combine"] = combine;
  json row = record["result"]["attacks"][0];
  row["name"] = "weak";
  record["result"]["attacks"] = {row, row};
  record["result"]["attacks"][1]["name"] = "strong";
  return record;
}

TEST(Evidence, IsWhatTheLedgerHolds) {
  TempFolder folder;
  namid::testing::write_record(folder / "e", two_attacks("each"));
  EXPECT_FALSE(read_evidence(load_run(folder / "e")).has_value());
  write_ledger(folder / "e");
  const auto evidence = read_evidence(load_run(folder / "e"));
  ASSERT_TRUE(evidence.has_value());
  EXPECT_EQ(evidence->samples.size(), 10u);
  ASSERT_EQ(evidence->attacks.size(), 2u);
  EXPECT_EQ(evidence->attacks[0].name, "weak") << "in the order of the suite, not of the alphabet";
  EXPECT_EQ(evidence->attacks[0].attacked.size(), 9u);
  EXPECT_EQ(evidence->attacks[1].norms, (std::vector<double>{0.02, 0.08, 0.08}))
      << "the smallest of its rounds";
}

TEST(Evidence, SharesCountWhatAnAttackAddsAndWhatItAloneBreaks) {
  const std::vector<AttackEvidence> attacks = {
      {"a", {}, {1, 2, 3}, {}}, {"b", {}, {2, 3, 4}, {}}, {"c", {}, {4}, {}}};
  const auto shares = shares_of(attacks);
  const auto numbers = [&](std::size_t i) {
    return std::vector<std::int64_t>{shares[i].broken, shares[i].first, shares[i].only};
  };
  EXPECT_EQ(numbers(0), (std::vector<std::int64_t>{3, 3, 1}));
  EXPECT_EQ(numbers(1), (std::vector<std::int64_t>{3, 1, 0}));
  EXPECT_EQ(numbers(2), (std::vector<std::int64_t>{1, 0, 0}));
  EXPECT_EQ(both_broke(attacks[0], attacks[1]), 2);
  EXPECT_EQ(both_broke(attacks[0], attacks[2]), 0);
}

TEST(Evidence, ReportShowsOverlapNormsAndCost) {
  TempFolder folder;
  namid::testing::write_record(folder / "e", two_attacks("each"));
  write_ledger(folder / "e");
  const std::string page = page_of(folder / "e");
  for (const char* part :
       {"Which attack broke what", "broken by no other", "Pairs of attacks",
        "Norms of what broke images", "3 images, median 0.0800", "What it cost", "61520"})
    EXPECT_TRUE(has(page, part)) << part;
}

TEST(Evidence, ChainsClaimNoOverlap) {
  TempFolder folder;
  namid::testing::write_record(folder / "e", two_attacks("worst_case"));
  write_ledger(folder / "e");
  const std::string page = page_of(folder / "e");
  EXPECT_TRUE(has(page, "only what those above it had left"));
  EXPECT_FALSE(has(page, "broken by no other"));
  EXPECT_FALSE(has(page, "Pairs of attacks"));
}

TEST(Evidence, FullBudgetsAreSaidInsteadOfDrawn) {
  TempFolder folder;
  json record = two_attacks("each");
  record["options"]["attack"]["epsilon"] = 0.02;
  namid::testing::write_record(folder / "e", record);
  write_ledger(folder / "e");
  EXPECT_TRUE(has(page_of(folder / "e"), "Every success used the whole budget"));
}

TEST(Evidence, DamagedLedgerIsADataErrorThatNamesIt) {
  TempFolder folder;
  namid::testing::write_record(folder / "e", two_attacks("each"));
  namid::testing::write_text(folder / "e" / "ledger.sqlite", "no database");
  EXPECT_TRUE(has(testing::data_error_of(folder / "e"), "ledger.sqlite"));
}

}  // namespace
}  // namespace namid::report
