// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/ledger.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>

#include "eval/toy.h"
#include "namid/core/error.h"
#include "support/files.h"
#include "support/temp_folder.h"

namespace namid::eval {
namespace {

using testing::bytes_of;

const Ledger::Identity kIdentity = {{"model", "m1"}, {"data", "d1"}, {"attack pgd-40", "steps=40"}};

SampleRow sample_row(std::uint64_t id) {
  return {.sample = id, .label = 3, .prediction = 2, .correct = false, .margin = -0.5};
}

AttemptRow attempt_row(std::uint64_t id) {
  return {.sample = id,
          .success = true,
          .step = 7,
          .prediction = 2,
          .linf = 0.031,
          .l2 = 0.4,
          .l1 = 1.5,
          .margin = -1e-3,
          .loss = 1.25,
          .forwards = 41,
          .backwards = 40,
          .seconds = 0.01,
          .x_adv_hash = "00ff",
          .refuted = false};
}

void add_batch(Ledger& ledger, std::uint64_t first, std::uint64_t count) {
  auto batch = ledger.begin();
  for (auto id = first; id < first + count; ++id) ledger.add(sample_row(id));
  batch.commit();
}

TEST(Ledger, GivesBackWhatWasStored) {
  const testing::TempFolder folder;
  const auto path = folder / "ledger.sqlite";
  constexpr std::uint64_t kHashId = 0xfedcba9876543210u;
  auto attempt = attempt_row(kHashId);
  {
    Ledger ledger(path, kIdentity);
    auto batch = ledger.begin();
    ledger.add(sample_row(5));
    ledger.add(sample_row(kHashId));
    ledger.add("pgd-40", attempt);
    const std::vector<float> image = {0.25f, -0.0f, 1.0f};
    ledger.add_image("pgd-40", attempt, image, 3);
    batch.commit();
  }
  const auto ledger = Ledger::open(path);
  EXPECT_EQ(ledger.samples(), (std::vector{sample_row(kHashId), sample_row(5)}));
  EXPECT_EQ(ledger.attempts("pgd-40"), std::vector{attempt});
  EXPECT_TRUE(ledger.attempts("pgd-41").empty());
  EXPECT_EQ(ledger.attacks(), std::vector<std::string>{"pgd-40"});
  EXPECT_EQ(ledger.image("pgd-40", kHashId), (std::vector<float>{0.25f, -0.0f, 1.0f}));
  EXPECT_TRUE(ledger.image("pgd-40", 5).empty());
  EXPECT_EQ(ledger.identity().at("schema"), "3");
  EXPECT_EQ(ledger.identity().at("data"), "d1");
}

TEST(Ledger, IsOneFileInWalModeWithTheDocumentedTables) {
  const testing::TempFolder folder;
  const auto path = folder / "ledger.sqlite";
  { Ledger ledger(path, kIdentity); }
  EXPECT_FALSE(std::filesystem::exists(folder / "ledger.sqlite-wal"));
  const Database database(path, Database::Mode::read_only);
  Statement mode(database, "PRAGMA journal_mode");
  ASSERT_TRUE(mode.next());
  EXPECT_EQ(mode.text(0), "wal");
  std::string columns;
  Statement table(database, "SELECT name FROM pragma_table_info('attempts') ORDER BY cid");
  while (table.next()) columns += table.text(0) + " ";
  EXPECT_EQ(columns,
            "attack round sample success step prediction linf l2 l1 margin loss forwards backwards "
            "x_adv_hash refuted eight_bit wasserstein ");
}

TEST(Ledger, KeepsALossThatIsNoNumber) {
  const testing::TempFolder folder;
  Ledger ledger(folder / "ledger.sqlite", kIdentity);
  auto attempt = attempt_row(1);
  attempt.loss = std::numeric_limits<double>::quiet_NaN();
  ledger.add("pgd-40", attempt);
  EXPECT_TRUE(std::isnan(ledger.attempts("pgd-40")[0].loss));
}

TEST(Ledger, RefusesAnotherIdentityByName) {
  const testing::TempFolder folder;
  const auto path = folder / "ledger.sqlite";
  { Ledger ledger(path, kIdentity); }
  EXPECT_NO_THROW(Ledger(path, kIdentity));
  for (const auto* key : {"model", "data", "attack pgd-40"}) {
    auto other = kIdentity;
    other[key] = "other";
    const auto text = message_of<DataError>([&] { Ledger(path, other); });
    EXPECT_HAS(text, str(key, " differs"));
    EXPECT_HAS(text, "other");
    EXPECT_HAS(text, kIdentity.at(key));
    other.erase(key);
    EXPECT_HAS(message_of<DataError>([&] { Ledger(path, other); }),
               str(key, " differs: this evaluation has 'nothing'"));
  }
  auto more = kIdentity;
  more["precision"] = "bfloat16";
  EXPECT_HAS(message_of<DataError>([&] { Ledger(path, more); }), "the ledger holds 'nothing'");
}

TEST(Ledger, RefusesFilesThatAreNoLedger) {
  const testing::TempFolder folder;
  const auto open_both = [&](const std::filesystem::path& path) {
    EXPECT_HAS(message_of<DataError>([&] { Ledger(path, kIdentity); }), path.string());
    EXPECT_HAS(message_of<DataError>([&] { Ledger::open(path); }), path.string());
  };
  std::ofstream(folder / "text.sqlite") << std::string(5000, 'x');
  open_both(folder / "text.sqlite");
  Database(folder / "foreign.sqlite", Database::Mode::create).execute("CREATE TABLE t(a)");
  open_both(folder / "foreign.sqlite");
  { Ledger ledger(folder / "newer.sqlite", kIdentity); }
  Database(folder / "newer.sqlite", Database::Mode::existing)
      .execute("UPDATE meta SET value = '4' WHERE key = 'schema'");
  open_both(folder / "newer.sqlite");
  EXPECT_THROW(Ledger::open(folder / "missing.sqlite"), DataError);
}

TEST(Ledger, RefusesADamagedFile) {
  const testing::TempFolder folder;
  const auto path = folder / "ledger.sqlite";
  {
    Ledger ledger(path, kIdentity);
    add_batch(ledger, 0, 2000);
  }
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(path)) - 8192);
    file << std::string(4096, '\x5a');
  }
  EXPECT_THROW(Ledger(path, kIdentity), DataError);
  EXPECT_THROW(Ledger::open(path), DataError);
}

TEST(Ledger, TellsDiskTroubleFromDamage) {
  const testing::TempFolder folder;
  EXPECT_THROW(Ledger(folder / "no" / "such" / "ledger.sqlite", kIdentity), ResourceError);
  EXPECT_THROW(Ledger(folder.path(), kIdentity), ResourceError);
  const auto path = folder / "ledger.sqlite";
  { Ledger ledger(path, kIdentity); }
  Database database(path, Database::Mode::read_only);
  EXPECT_THROW(database.execute("DELETE FROM samples"), ResourceError);
}

TEST(Ledger, DropsABatchThatWasNotCommitted) {
  const testing::TempFolder folder;
  Ledger ledger(folder / "ledger.sqlite", kIdentity);
  add_batch(ledger, 0, 3);
  {
    auto batch = ledger.begin();
    ledger.add(sample_row(10));
    EXPECT_THROW(ledger.add(sample_row(1)), DataError);
  }
  EXPECT_EQ(ledger.samples().size(), 3u);
  add_batch(ledger, 10, 1);
  EXPECT_EQ(ledger.samples().size(), 4u);
}

TEST(Ledger, HoldsWholeBatchesAfterAKill) {
  const testing::TempFolder folder;
  const auto path = folder / "ledger.sqlite";
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Ledger ledger(path, kIdentity);
    add_batch(ledger, 0, 100);
    add_batch(ledger, 100, 100);
    auto batch = ledger.begin();
    for (std::uint64_t id = 200; id < 250; ++id) ledger.add(sample_row(id));
    raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  Ledger ledger(path, kIdentity);
  ASSERT_EQ(ledger.samples().size(), 200u);
  EXPECT_EQ(ledger.samples().back().sample, 199u);
  add_batch(ledger, 200, 100);
  EXPECT_EQ(ledger.samples().size(), 300u);
}

TEST(Ledger, FinishedLedgersAreByteEqualWhateverTheOrderOfTheirRows) {
  const testing::TempFolder folder;
  const std::vector<float> image(500, 0.25f);
  const auto write = [&](const std::string& name, const std::vector<std::uint64_t>& order,
                         std::size_t batch_size, double seconds) {
    Ledger ledger(folder / name, kIdentity);
    for (const std::int64_t round : {0, 1}) {
      for (std::size_t i = 0; i < order.size();) {
        auto batch = ledger.begin();
        for (std::size_t j = 0; j < batch_size && i < order.size(); ++j, ++i) {
          auto row = attempt_row(order[i]);
          row.round = round;
          row.success = order[i] % 3 == 0 || round == 1;
          row.seconds = seconds;
          if (round == 0) ledger.add(sample_row(order[i]));
          if (round == 1 && order[i] % 3 == 0) continue;
          ledger.add("pgd-40", row);
          ledger.add_image("pgd-40", row, image, 4);
        }
        batch.commit();
      }
    }
    ledger.finish(4);
    EXPECT_EQ(ledger.samples().size(), order.size()) << "it can be read on";
    EXPECT_EQ(ledger.attempts("pgd-40").front().seconds, seconds);
    EXPECT_EQ(ledger.images().size(), 4u);
  };
  std::vector<std::uint64_t> order(300);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  write("a.sqlite", order, 64, 0.1);
  std::reverse(order.begin(), order.end());
  write("b.sqlite", order, 7, 0.2);
  EXPECT_EQ(bytes_of(folder / "a.sqlite"), bytes_of(folder / "b.sqlite"));
  EXPECT_FALSE(std::filesystem::exists(folder / "a.sqlite-wal"));
  EXPECT_FALSE(std::filesystem::exists(folder / "a.sqlite.finished"));
}

TEST(Ledger, FinishedTwiceItHasTheBytesOfOnce) {
  const testing::TempFolder folder;
  const auto path = folder / "ledger.sqlite";
  {
    Ledger ledger(path, kIdentity);
    ledger.add(sample_row(3));
    ledger.finish(4);
  }
  const auto once = bytes_of(path);
  Ledger(path, kIdentity).finish(4);
  EXPECT_EQ(bytes_of(path), once);
}

TEST(Ledger, ReadsWithoutItsTimings) {
  const testing::TempFolder folder;
  const auto path = folder / "ledger.sqlite";
  {
    Ledger ledger(path, kIdentity);
    ledger.add("pgd-40", attempt_row(1));
    ledger.finish(0);
  }
  EXPECT_EQ(Ledger::open(path).attempts("pgd-40")[0].seconds, 0.01);
  std::filesystem::remove(timings_path(path));
  EXPECT_TRUE(std::isnan(Ledger::open(path).attempts("pgd-40")[0].seconds));
}

TEST(Ledger, KeepsTheEnvironmentItWasBegunIn) {
  const testing::TempFolder folder;
  auto identity = kIdentity;
  identity["environment threads"] = "2";
  { Ledger ledger(folder / "ledger.sqlite", identity); }
  identity["environment threads"] = "1";
  const Ledger again(folder / "ledger.sqlite", identity);
  EXPECT_EQ(again.identity().at("environment threads"), "2");
}

TEST(Ledger, HashesImagesByTheirBytes) {
  const std::vector<float> a = {0.5f, 0.0f}, b = {0.5f, -0.0f};
  EXPECT_EQ(hash_hex(a.data(), 2), hash_hex(std::vector<float>(a).data(), 2));
  EXPECT_NE(hash_hex(a.data(), 2), hash_hex(b.data(), 2));
  EXPECT_EQ(hash_hex(a.data(), 2).size(), 16u);
  EXPECT_EQ(hex16(0x0123456789abcdefu), "0123456789abcdef");
}

}  // namespace
}  // namespace namid::eval
