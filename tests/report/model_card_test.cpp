// SPDX-License-Identifier: Apache-2.0
#include "namid/report/model_card.h"

#include <gtest/gtest.h>

#include <fstream>

#include "namid/core/error.h"
#include "namid/io/sha256.h"
#include "report/has.h"
#include "report/page.h"
#include "report/sample_run.h"
#include "support/temp_folder.h"

namespace namid::report {
namespace {

using namid::testing::TempFolder;
using nlohmann::json;
using testing::has;

json card_of(const std::filesystem::path& folder) {
  write_report(folder);
  std::ifstream file(folder / "model_card.json");
  return json::parse(file);
}

json autoattack_record() {
  json record = namid::testing::evaluation_record();
  record["options"]["suite"] = "autoattack";
  record["options"]["attack"]["epsilon"] = 8.0 / 255;
  record["result"]["combine"] = "worst_case";
  return record;
}

TEST(ModelCard, HasTheKeysAndTypesOfRobustBenchsFiles) {
  TempFolder folder;
  namid::testing::write_record(folder / "e", autoattack_record());
  const json card = card_of(folder / "e");
  for (const char* key :
       {"link", "name", "authors", "additional_data", "number_forward_passes", "dataset", "venue",
        "architecture", "eps", "clean_acc", "reported", "autoattack_acc", "footnote", "unreliable"})
    EXPECT_TRUE(card.contains(key)) << key;
  EXPECT_EQ(card["eps"], "8/255");
  EXPECT_EQ(card["clean_acc"], "76.90");
  EXPECT_EQ(card["autoattack_acc"], "63.90");
  EXPECT_EQ(card["number_forward_passes"], 1);
  EXPECT_TRUE(card["authors"].is_null());
  EXPECT_EQ(card["namid"]["natural"]["correct"], 769);
}

TEST(ModelCard, FigureOfAutoAttackIsOnlyThatOfTheWholeSuite) {
  const auto figure = [](const json& record) {
    TempFolder folder;
    namid::testing::write_record(folder / "e", record);
    return card_of(folder / "e")["autoattack_acc"];
  };
  EXPECT_EQ(figure(autoattack_record()), "63.90");
  json other = autoattack_record();
  other["options"]["suite"] = "pgd";
  EXPECT_TRUE(figure(other).is_null());
  other = autoattack_record();
  other["options"]["aa_version"] = "reference";
  EXPECT_TRUE(figure(other).is_null());
  other = autoattack_record();
  other["result"]["decision"] = {{"text", "stopped"}};
  EXPECT_TRUE(figure(other).is_null());
  other = autoattack_record();
  other["result"]["sampled"] = json::object();
  EXPECT_TRUE(figure(other).is_null());
}

TEST(ModelCard, HashesAreThoseOfTheFiles) {
  TempFolder folder;
  namid::testing::write_record(folder / "e", autoattack_record());
  namid::testing::write_text(folder / "e" / "config.toml", "seed = 7\n");
  const json card = card_of(folder / "e");
  EXPECT_EQ(card["namid"]["hashes"]["options"], io::sha256_hex("seed = 7\n", 9));
  EXPECT_EQ(card["namid"]["hashes"]["weights"], "2c26b46b68ff");
  EXPECT_TRUE(card["namid"]["hashes"]["ledger"].is_null());
}

TEST(ModelCard, AboutFileFillsWhatARunCannotKnow) {
  TempFolder folder;
  namid::testing::write_record(folder / "e", autoattack_record());
  namid::testing::write_text(folder / "e" / "about.toml",
                             "name = 'A <b>defence</b>'\nadditional_data = 'no'\n");
  const json card = card_of(folder / "e");
  EXPECT_EQ(card["name"], "A <b>defence</b>");
  EXPECT_EQ(card["additional_data"], false);
  EXPECT_TRUE(has(testing::page_of(folder / "e"), "A &lt;b&gt;defence&lt;/b&gt;"));
  namid::testing::write_text(folder / "e" / "about.toml", "nam = 'x'\n");
  try {
    write_report(folder / "e");
    FAIL() << "an unknown key was taken";
  } catch (const OptionError& error) {
    EXPECT_TRUE(has(error.what(), "about.toml:1")) << error.what();
    EXPECT_TRUE(has(error.what(), "name")) << error.what();
  }
}

TEST(ModelCard, OnlyEvaluationsThatEndedHaveOne) {
  TempFolder folder;
  namid::testing::write_training(folder / "t");
  write_report(folder / "t");
  EXPECT_FALSE(std::filesystem::exists(folder / "t" / "model_card.json"));
  json record = autoattack_record();
  record["status"] = "interrupted";
  namid::testing::write_record(folder / "e", record);
  write_report(folder / "e");
  EXPECT_FALSE(std::filesystem::exists(folder / "e" / "model_card.json"));
}

}  // namespace
}  // namespace namid::report
