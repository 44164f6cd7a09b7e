// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/program.h"
#include "support/temp_folder.h"

namespace namid::testing {
namespace {

using nlohmann::json;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Recipes, FilesAreWhatTheProgramWrites) {
  const TempFolder folder;
  ASSERT_EQ(run_program("list recipes --write " + folder.path().string()).code, 0);
  const std::filesystem::path kept = std::string(NAMID_SOURCE_DIR) + "/recipes";
  int written = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    EXPECT_EQ(read(entry.path()), read(kept / entry.path().filename())) << entry.path();
    ++written;
  }
  EXPECT_GE(written, 40);
  for (const auto& entry : std::filesystem::directory_iterator(kept))
    EXPECT_TRUE(entry.path().filename() == "demo.toml" ||
                std::filesystem::exists(folder.path() / entry.path().filename()))
        << entry.path();
}

TEST(Recipes, AreListedWithThePapersFigures) {
  const auto listed = json::parse(run_program("list recipes --json").text);
  bool found = false;
  for (const auto& recipe : listed) {
    EXPECT_EQ(recipe.at("state"), "never run at full scale");
    if (recipe.at("name") != "cifar10-resnet18-namid-linf") continue;
    found = true;
    EXPECT_NE(recipe.at("published").get<std::string>().find("pgd-40 44.79 ± 0.50"),
              std::string::npos);
  }
  EXPECT_TRUE(found);
}

TEST(Recipes, AreNotWrittenWithOtherLists) {
  const auto result = run_program("list models --write somewhere");
  EXPECT_EQ(result.code, 2) << result.text;
  EXPECT_NE(result.text.find("recipes"), std::string::npos) << result.text;
}

TEST(Recipes, EveryOneHoldsOptionsOfItsCommand) {
  for (const auto& recipe : json::parse(run_program("list recipes --json").text)) {
    const auto name = recipe.at("name").get<std::string>();
    if (!name.starts_with("cifar10") || !name.ends_with("linf")) continue;  // all kinds are there
    // What is wrong with the options is said before the data are looked for.
    const auto result = run_program(recipe.at("command").get<std::string>() + " --config " +
                                    NAMID_SOURCE_DIR + "/recipes/" + name + ".toml --set seed=-1");
    EXPECT_EQ(result.code, 2) << result.text;
    EXPECT_NE(result.text.find("seed: expected"), std::string::npos) << name << result.text;
  }
}

TEST(Reproduce, WrongUsageIsTwoAndSaysWhatToDo) {
  const auto expect_failure = [](const std::string& arguments, const std::string& message) {
    const auto result = run_program("reproduce " + arguments);
    EXPECT_EQ(result.code, 2) << result.text;
    EXPECT_NE(result.text.find(message), std::string::npos) << result.text;
  };
  expect_failure("table7", "table: expected one of fig2");
  expect_failure("table1 --rows standard,namd", "rows: expected some of standard");
  expect_failure("table3 --norms l2", "norms: expected some of linf");
  expect_failure("table1 --scale full", "--cifar10 PATH");
  expect_failure("table1 --scale huge", "scale");
  expect_failure("table1 --seeds 0", "seeds: expected ≥ 1");
  expect_failure("table1 --changes epoch=1", "changes: expected OPTION=VALUE");
}

constexpr const char* kTrial =
    " --rows standard,namid --norms linf --test-limit 30 --threads 1 --quiet --changes "
    "'epochs=1 train_limit=600 width=4 batch_size=50 attack.steps=2 units=8 namid.mi_warmup=0'";

TEST(ReproduceSlow, GivesOneTableWhateverTheNumberOfProcessesAndKeepsWhatIsDone) {
  const TempFolder folder;
  const auto out = " --name t --out " + folder.path().string();
  std::vector<json> rows;
  for (const char* jobs : {"1", "2"}) {
    const auto result =
        run_program(std::string("reproduce table1 --seeds 2 --json --jobs ") + jobs + kTrial + out);
    ASSERT_EQ(result.code, 0) << result.text;
    rows.push_back(json::parse(result.text.substr(result.text.find("\n{") + 1)).at("rows"));
  }
  EXPECT_EQ(rows[0], rows[1]);
  ASSERT_EQ(rows[0].size(), 2u);
  for (const auto& row : rows[0]) {
    EXPECT_EQ(row.at("seeds").size(), 2u);
    EXPECT_TRUE(row.at("failures").empty());
    for (const char* column : {"none", "pgd-40", "apgd", "gap"})
      EXPECT_TRUE(row.at("measured").at("best").contains(column)) << column;
    EXPECT_GE(row.at("measured").at("last").at("gap").at("mean").get<double>(), -1e-9);
  }
  EXPECT_EQ(rows[0][1].at("against").at("last").at("apgd").at("pairs"), 2);

  const auto run = folder.path() / "reproduce" / "t-001";
  const auto trained = run / "seed-00" / "fashion-mnist-mini-small_cnn-namid-linf" / "run.json";
  const auto table = read(run / "table.md");
  const auto time = std::filesystem::last_write_time(trained);
  ASSERT_EQ(run_program("resume --quiet " + run.string()).code, 0);
  EXPECT_EQ(std::filesystem::last_write_time(trained), time);
  EXPECT_EQ(read(run / "table.md"), table);
}

TEST(ReproduceSlow, ThePapersColumnsAreFilledInFromKeptCheckpoints) {
  const TempFolder folder;
  const auto begun = run_program(
      "reproduce table1 --seeds 1 --test-limit 20 --threads 1 --quiet "
      "--rows standard --changes 'epochs=1 train_limit=600 width=4 "
      "batch_size=50 attack.steps=2' --name t --out " +
      folder.path().string());
  ASSERT_EQ(begun.code, 0) << begun.text;
  const auto run = folder.path() / "reproduce" / "t-001";
  EXPECT_NE(read(run / "table.md").find("not available"), std::string::npos);
  const auto trained = run / "seed-00" / "fashion-mnist-mini-small_cnn-standard-linf" / "run.json";
  const auto time = std::filesystem::last_write_time(trained);

  auto config = read(run / "config.toml");
  const std::string before = "columns = \"judge\"";
  ASSERT_NE(config.find(before), std::string::npos) << config;
  config.replace(config.find(before), before.size(), "columns = \"paper\"");
  std::ofstream(run / "config.toml") << config;
  const auto resumed = run_program("resume --quiet --json " + run.string());
  ASSERT_EQ(resumed.code, 0) << resumed.text;
  EXPECT_EQ(std::filesystem::last_write_time(trained), time);
  EXPECT_EQ(read(run / "table.md").find("not available"), std::string::npos)
      << read(run / "table.md");
  const auto rows = json::parse(resumed.text.substr(resumed.text.find("\n{") + 1)).at("rows");
  ASSERT_EQ(rows.size(), 2u);
  for (const auto& row : rows) {
    const auto& measured = row.at("measured").at("last");
    const auto mean = [&](const char* column) {
      return measured.at(column).at("mean").get<double>();
    };
    const bool linf = row.at("norm") == "linf";
    for (const char* column :
         linf ? std::array{"autoattack", "fwa-40", "ti-dim"} : std::array{"cw", "ddn", "apgd"})
      EXPECT_LE(mean(column), mean("none")) << column;
    if (linf) {
      EXPECT_LE(mean("autoattack"), mean("pgd-40"));
    }
  }
}

TEST(ReproduceSlow, BlackBoxTablesAreJudgedByTheRowsOnImagesOfTheSurrogate) {
  const TempFolder folder;
  const auto out = " --name t --out " + folder.path().string();
  const auto result = run_program(
      "reproduce table6 --rows standard --seeds 1 --test-limit 30 --threads 1 --quiet --json "
      "--changes 'epochs=1 train_limit=600 batch_size=50 attack.steps=2'" +
      out);
  ASSERT_EQ(result.code, 0) << result.text;
  const auto rows = json::parse(result.text.substr(result.text.find("\n{") + 1)).at("rows");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_TRUE(rows[0].at("failures").empty()) << rows[0];
  EXPECT_EQ(rows[0].at("paper"), "Table 6: CIFAR-10, Standard");
  for (const char* column : {"none", "pgd-40", "cw", "ddn", "apgd"})
    EXPECT_TRUE(rows[0].at("measured").at("best").contains(column)) << column;
  EXPECT_DOUBLE_EQ(rows[0].at("published").at("ddn").at("mean").get<double>(), 65.19);

  const auto seed = folder.path() / "reproduce" / "t-001" / "seed-00";
  const std::string row = "fashion-mnist-mini-small_cnn-standard-l2",
                    surrogate = "fashion-mnist-mini-small_cnn-surrogate-l2";
  const auto weights = [&](const std::string& run) {
    return json::parse(read(seed / run / "run.json")).at("result").at("weights_sha256");
  };
  EXPECT_NE(weights(row), weights(surrogate)) << "else the row were attacked white-box";
  const auto judged = json::parse(read(seed / (row + "-last-transfer-cw") / "run.json"));
  EXPECT_EQ(judged.at("surrogate").at("path"), (seed / surrogate).string());
  EXPECT_EQ(judged.at("result").at("attacks")[0].at("name"), "transfer:cw");
  for (const auto& entry : std::filesystem::directory_iterator(seed))
    EXPECT_NE(entry.path().extension(), ".sqlite") << "shared images go with their column";
}

TEST(ReproduceSlow, FiguresAreScoresOfTheWholeChain) {
  const TempFolder folder;
  const auto result = run_program(
      "reproduce fig4 --seeds 1 --json --threads 1 --quiet --name f --out " +
      folder.path().string() +
      " --changes 'epochs=1 train_limit=600 width=4 batch_size=50 attack.steps=2 units=8 "
      "images=100'");
  ASSERT_EQ(result.code, 0) << result.text;
  const auto document = json::parse(result.text.substr(result.text.find("\n{") + 1));
  EXPECT_TRUE(document.at("rows").empty());
  const auto scores = document.at("scores");
  ASSERT_GE(scores.size(), 8u);
  EXPECT_EQ(scores[0].at("critic"), "separate");
  EXPECT_DOUBLE_EQ(scores[0].at("published").get<double>(), 0.467);
  const auto study = folder.path() / "reproduce" / "f-001" / "seed-00" /
                     "fashion-mnist-mini-small_cnn-fig4-linf" / "run.json";
  EXPECT_EQ(json::parse(read(study)).at("result").at("critics").size(), 2u);
}

}  // namespace
}  // namespace namid::testing
