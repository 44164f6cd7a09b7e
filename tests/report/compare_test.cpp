// SPDX-License-Identifier: Apache-2.0
#include "namid/report/compare.h"

#include <gtest/gtest.h>

#include "namid/core/error.h"
#include "report/sample_run.h"
#include "support/temp_folder.h"

namespace namid::report {
namespace {

using namid::testing::TempFolder;
using nlohmann::json;

class Compare : public ::testing::Test {
 protected:
  Compare() {
    namid::testing::write_evaluation(folder_ / "eval-001");
    namid::testing::write_training(folder_ / "train-001");
  }
  std::string both(TableFormat format) const {
    return compare({folder_ / "eval-001", folder_ / "train-001"}, format);
  }
  TempFolder folder_;
};

TEST_F(Compare, Text) {
  EXPECT_EQ(
      both(TableFormat::text),
      "run        defence           natural %           robust %            images  attack  norm  "
      "epsilon  seconds  status\n"
      "eval-001   -         76.9 [74.2, 79.5]  63.9 [60.9, 66.9]              1000  pgd-40  linf  "
      "0.1        184.2  done\n"
      "train-001  standard               77.0               64.0  500 (validation)  pgd-10  linf  "
      "0.1        184.2  done\n"
      "\n"
      "[]: 95 % interval (Clopper-Pearson, or the confidence sequence of a run that stopped "
      "early), "
      "sampling error under this attack only. Robust accuracy "
      "is an upper bound: a stronger attack can only lower it.\n");
}

TEST_F(Compare, Markdown) {
  EXPECT_EQ(
      both(TableFormat::markdown),
      "| run | defence | natural % | robust % | images | attack | norm | epsilon | seconds | "
      "status |\n"
      "|---|---|--:|--:|--:|---|---|---|--:|---|\n"
      "| eval-001 | - | 76.9 [74.2, 79.5] | 63.9 [60.9, 66.9] | 1000 | pgd-40 | linf | 0.1 | "
      "184.2 | done |\n"
      "| train-001 | standard | 77.0 | 64.0 | 500 (validation) | pgd-10 | linf | 0.1 | 184.2 | "
      "done |\n"
      "\n"
      "[]: 95 % interval (Clopper-Pearson, or the confidence sequence of a run that stopped "
      "early), "
      "sampling error under this attack only. Robust accuracy "
      "is an upper bound: a stronger attack can only lower it.\n");
}

TEST_F(Compare, Csv) {
  EXPECT_EQ(
      both(TableFormat::csv),
      "run,defense,source,natural,natural_lower,natural_upper,robust,robust_lower,robust_upper,"
      "certified,certified_lower,certified_upper,confidence,n,attack,norm,epsilon,seconds,status\n"
      "eval-001,,test,0.769,0.742,0.795,0.639,0.609,0.669,,,,0.95,1000,pgd-40,linf,0.1,184.25,"
      "done\n"
      "train-001,standard,validation,0.77,,,0.64,,,,,,,500,pgd-10,linf,0.1,184.25,done\n");
}

TEST_F(Compare, Json) {
  const json rows = json::parse(both(TableFormat::json));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], (json{{"run", "eval-001"},
                           {"defense", ""},
                           {"source", "test"},
                           {"natural", 0.769},
                           {"natural_lower", 0.742},
                           {"natural_upper", 0.795},
                           {"robust", 0.639},
                           {"robust_lower", 0.609},
                           {"robust_upper", 0.669},
                           {"certified", nullptr},
                           {"certified_lower", nullptr},
                           {"certified_upper", nullptr},
                           {"confidence", 0.95},
                           {"n", 1000},
                           {"attack", "pgd-40"},
                           {"norm", "linf"},
                           {"epsilon", 0.1},
                           {"seconds", 184.25},
                           {"status", "done"}}));
  EXPECT_EQ(rows[1]["source"], "validation");
  EXPECT_TRUE(rows[1]["robust_lower"].is_null());
}

TEST_F(Compare, CertificatesHaveAColumnWhereThereAreAny) {
  namid::testing::write_certification(folder_ / "proof-001");
  const auto runs = {folder_ / "eval-001", folder_ / "proof-001"};
  const std::string text = compare(runs, TableFormat::text);
  EXPECT_NE(text.find("robust %        certified %  images"), std::string::npos) << text;
  EXPECT_NE(text.find("proof-001  -        76.9 [74.2, 79.5]                  -  40.0 [36.9, 43.1]"
                      "    1000  -       linf  0.1"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("Certified accuracy is a lower bound"), std::string::npos) << text;
  EXPECT_NE(compare(runs, TableFormat::markdown).find("|---|---|--:|--:|--:|--:|---|"),
            std::string::npos);
  const json rows = json::parse(compare(runs, TableFormat::json));
  EXPECT_EQ(rows[1]["certified"], 0.4);
  EXPECT_EQ(rows[1]["certified_lower"], 0.369);
  EXPECT_EQ(rows[1]["epsilon"], 0.1);
  EXPECT_TRUE(rows[1]["robust"].is_null());
}

TEST_F(Compare, DemoGivesARowPerDefence) {
  namid::testing::write_demo(folder_ / "demo");
  const json rows = json::parse(compare({folder_ / "demo"}, TableFormat::json));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0]["defense"], "natural");
  EXPECT_EQ(rows[0]["robust"], 0.007);
  EXPECT_EQ(rows[2]["defense"], "namid");
  EXPECT_EQ(rows[2]["attack"], "pgd-40");
  EXPECT_EQ(rows[2]["seconds"], 61.5);
}

TEST_F(Compare, TrainingRunShowsItsEvaluationWhereItHasOne) {
  namid::testing::write_evaluation(folder_ / "train-001" / "evaluation");
  const json rows = json::parse(compare({folder_ / "train-001"}, TableFormat::json));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0]["source"], "test");
  EXPECT_EQ(rows[0]["robust"], 0.639);
  EXPECT_EQ(rows[0]["attack"], "pgd-40");
  EXPECT_EQ(rows[0]["defense"], "standard");
}

TEST_F(Compare, RunsWithoutAccuraciesShowWhatTheyHave) {
  namid::testing::write_estimation(folder_ / "estimate");
  const json rows = json::parse(compare({folder_ / "estimate"}, TableFormat::json));
  EXPECT_TRUE(rows[0]["natural"].is_null());
  EXPECT_EQ(rows[0]["source"], "");
  EXPECT_EQ(rows[0]["seconds"], 184.25);
}

TEST_F(Compare, HostileNamesBreakNoTable) {
  ResultRow row;
  row.run = "a|b\n\x1b[2J,\"c\"<i>";
  const std::string markdown = format_rows({row}, TableFormat::markdown);
  EXPECT_NE(markdown.find("| a\\|b??\\[2J,\"c\"\\<i\\> |"), std::string::npos) << markdown;
  EXPECT_EQ(format_rows({row}, TableFormat::text).find('\x1b'), std::string::npos);
  EXPECT_NE(format_rows({row}, TableFormat::csv).find("\"a|b\n\x1b[2J,\"\"c\"\"<i>\",,"),
            std::string::npos);
}

TEST_F(Compare, FolderWithoutRecordIsADataErrorThatNamesIt) {
  try {
    compare({folder_ / "eval-001", folder_ / "nothing"}, TableFormat::text);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("nothing"), std::string::npos) << error.what();
  }
}

TEST(Epsilon, IsAFractionOf255WhereItIsOne) {
  EXPECT_EQ(epsilon_text(8.0 / 255), "8/255 (0.0314)");
  EXPECT_EQ(epsilon_text(2.0 / 255), "2/255 (0.0078)");
  EXPECT_EQ(epsilon_text(0.1), "0.1");
  EXPECT_EQ(epsilon_text(0.0314), "0.0314");
  EXPECT_EQ(epsilon_text(0.5), "0.5");
  EXPECT_EQ(epsilon_text(0), "0");
  EXPECT_EQ(epsilon_text(1), "1");
}

}  // namespace
}  // namespace namid::report
