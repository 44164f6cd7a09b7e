// SPDX-License-Identifier: Apache-2.0
//
// Comparisons as LaTeX and HTML, paired tests, and runs that cannot be compared.
#include <gtest/gtest.h>

#include <algorithm>

#include "namid/core/distributions.h"
#include "namid/core/error.h"
#include "namid/eval/ledger.h"
#include "namid/report/compare.h"
#include "namid/report/paired_runs.h"
#include "namid/report/table_cells.h"
#include "report/has.h"
#include "report/markup_check.h"
#include "report/sample_run.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace namid::report {
namespace {

using nlohmann::json;
using testing::has;
using testing::message_of;
using testing::TempFolder;
namespace fs = std::filesystem;

struct Sample {
  std::string defense, model;
  std::vector<int> robust;  ///< of ten samples, all natural
  std::string attack = "pgd-40", steps = "40";
  std::string data = "d";
  int population = 0;  ///< of a run that stopped early
};

/// An evaluation with record and ledger.
fs::path write_sample(const fs::path& path, const Sample& sample) {
  const auto n = static_cast<int>(sample.robust.size());
  const auto right = static_cast<int>(std::count(sample.robust.begin(), sample.robust.end(), 1));
  auto record = testing::evaluation_record();
  record["defense"] = sample.defense;
  record["model"]["sha256"] = sample.model;
  record["data"] = {{"name", "set-" + sample.data}, {"n", n}, {"sha256", sample.data}};
  record["result"] = {
      {"n", n},
      {"combine", "each"},
      {"suite", "pgd"},
      {"natural", testing::accuracy(n, n, 0.3, 0.3)},
      {"robust", testing::accuracy(right, n, 0.3, 0.3)},
      {"attacks", {{{"name", sample.attack}, {"robust", testing::accuracy(right, n, 0.3, 0.3)}}}}};
  if (sample.population > 0)
    record["result"]["decision"] = {{"drawn", n}, {"population", sample.population}};
  testing::write_record(path, record);
  eval::Ledger ledger(path / "ledger.sqlite", {{"data", sample.data},
                                               {"ids", "i"},
                                               {"seed", "7"},
                                               {"attacks", sample.attack},
                                               {"attack " + sample.attack, sample.steps}});
  auto batch = ledger.begin();
  for (std::uint64_t i = 0; i < sample.robust.size(); ++i) {
    ledger.add({.sample = i, .correct = true});
    ledger.add(sample.attack, {.sample = i, .success = sample.robust[i] == 0, .x_adv_hash = "0"});
  }
  batch.commit();
  ledger.finish(0);
  return path;
}

const std::vector<int> kNine = {1, 1, 1, 1, 1, 1, 1, 1, 1, 0};
const std::vector<int> kTwo = {1, 0, 0, 0, 0, 0, 0, 0, 0, 1};

TEST(PaperTable, IsDefencesByAttacksWithMeanAndDeviationOverModels) {
  const TempFolder folder;
  const auto latex = compare(
      {write_sample(folder / "a", {.defense = "namid_t", .model = "1", .robust = kNine}),
       write_sample(folder / "b", {.defense = "namid_t", .model = "2", .robust = kTwo}),
       write_sample(folder / "c", {.defense = "standard", .model = "3", .robust = kTwo}),
       write_sample(folder / "d",
                    {.defense = "standard", .model = "3", .robust = kTwo, .attack = "square"})},
      TableFormat::latex);
  // 90 % and 20 %: mean 55, deviation 70 / √2.
  EXPECT_EQ(latex,
            "\\begin{table}\n\\centering\n"
            "\\caption{Accuracies in percent, mean $\\pm$ standard deviation over models of a "
            "defence; linf 0.1}\n"
            "\\begin{tabular}{lrrrr}\n\\hline\n"
            "defence & models & None & PGD-40 & SQUARE \\\\\n\\hline\n"
            "namid\\_t & 2 & 100.00 $\\pm$ 0.00 & 55.00 $\\pm$ 49.50 & - \\\\\n"
            "standard & 1 & 100.00 & 20.00 & 20.00 \\\\\n"
            "\\hline\n\\end{tabular}\n\\end{table}\n");
}

TEST(PaperTable, NeedsAnEvaluation) {
  const TempFolder folder;
  testing::write_estimation(folder / "estimate");
  EXPECT_TRUE(
      has(message_of<DataError>([&] { compare({folder / "estimate"}, TableFormat::latex); }),
          "none of the runs holds an evaluation"));
}

TEST(LatexCell, EscapesWhateverLatexReads) {
  EXPECT_EQ(latex_cell("a\\b{c}&%$#_~^"),
            "a\\textbackslash{}b\\{c\\}\\&\\%\\$\\#\\_\\textasciitilde{}\\textasciicircum{}");
  EXPECT_EQ(latex_cell("[x]*<y>|\""), "{[}x{]}{*}\\textless{}y\\textgreater{}\\textbar{}''");
  EXPECT_EQ(latex_cell("1 ± 2 é"), "1 $\\pm$ 2 é");
  EXPECT_EQ(latex_cell("a\nb\x1b\xff\xc3"), "a?b???");
  EXPECT_EQ(latex_cell(""), "-");
}

TEST(ComparisonPage, IsOnePageWithoutScriptsWhateverTheNames) {
  const TempFolder folder;
  const auto a = write_sample(
      folder / "<b>&\"'", {.defense = "<script>alert(1)</script>", .model = "1", .robust = kNine});
  const auto b =
      write_sample(folder / "b", {.defense = "x\n\x1b[2J", .model = "2", .robust = kTwo});
  const auto page = compare({a, b}, TableFormat::html, true);
  testing::MarkupCheck check;
  const auto style = page.find("<style>"), end = page.find("</style>");
  EXPECT_EQ(check.run(page.substr(0, style) + page.substr(end + 8)), "");
  EXPECT_EQ(std::count(check.elements.begin(), check.elements.end(), "script"), 0);
  EXPECT_EQ(std::count(check.elements.begin(), check.elements.end(), "table"), 3);
  EXPECT_TRUE(has(page, "default-src 'none'") || has(page, "default-src &#39;none&#39;"));
  EXPECT_TRUE(has(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
  EXPECT_TRUE(has(page, "Paired tests"));
}

TEST(PairedRuns, AreMcNemarsTestsCorrectedByHolm) {
  const TempFolder folder;
  const std::vector<fs::path> runs = {write_sample(folder / "a", {.model = "1", .robust = kNine}),
                                      write_sample(folder / "b", {.model = "2", .robust = kTwo})};
  const json both = json::parse(compare(runs, TableFormat::json, true));
  EXPECT_EQ(both["runs"], json::parse(compare(runs, TableFormat::json)));
  ASSERT_EQ(both["paired"].size(), 2u);
  const auto& natural = both["paired"][0];
  const auto& robust = both["paired"][1];
  EXPECT_EQ(natural["p"], 1);
  EXPECT_EQ(robust["only_first"], 8);
  EXPECT_EQ(robust["only_second"], 1);
  const double p = 2 * binomial_cdf(1, 9, 0.5);
  EXPECT_NEAR(robust["p"].get<double>(), p, 1e-15);
  EXPECT_NEAR(robust["p_holm"].get<double>(), 2 * p, 1e-15);
  EXPECT_EQ(robust["difference"], 0.7);
  EXPECT_EQ(robust["method"], "mcnemar");
}

TEST(PairedRuns, TinyPValuesAreNotCalledZero) {
  PairedTest test;
  test.p = 1e-9;
  test.adjusted = 0.00012;
  const auto lines = pair_lines({test});
  EXPECT_EQ(lines[1][8], "< 0.0001");
  EXPECT_EQ(lines[1][9], "0.0001");
}

TEST(PairedRuns, FollowTheTableInEveryFormatAndChangeNothingBefore) {
  const TempFolder folder;
  const std::vector<fs::path> runs = {write_sample(folder / "a", {.model = "1", .robust = kNine}),
                                      write_sample(folder / "b|c", {.model = "2", .robust = kTwo})};
  for (const auto format :
       {TableFormat::text, TableFormat::markdown, TableFormat::csv, TableFormat::latex}) {
    const auto alone = compare(runs, format), paired = compare(runs, format, true);
    ASSERT_TRUE(paired.starts_with(alone + "\n")) << paired;
    EXPECT_TRUE(has(paired.substr(alone.size()), "mcnemar")) << paired;
  }
  const auto csv = compare(runs, TableFormat::csv, true);
  EXPECT_TRUE(has(csv,
                  "\n\nfirst,second,accuracy,images,only_first,only_second,difference,lower,"
                  "upper,p,p_holm,method\na,b|c,natural,10,0,0,0,"))
      << csv;
  EXPECT_TRUE(has(compare(runs, TableFormat::markdown, true), "| b\\|c"));
}

TEST(PairedRuns, OtherAttacksLeaveOnlyNaturalAccuraciesToTest) {
  const TempFolder folder;
  const json both = json::parse(
      compare({write_sample(folder / "a", {.model = "1", .robust = kNine}),
               write_sample(folder / "b", {.model = "2", .robust = kTwo, .steps = "10"})},
              TableFormat::json, true));
  ASSERT_EQ(both["paired"].size(), 1u);
  EXPECT_EQ(both["paired"][0]["accuracy"], "natural");
}

TEST(PairedRuns, ThatStoppedEarlyHaveTheSequenceOfTheirPairs) {
  const TempFolder folder;
  const json both = json::parse(
      compare({write_sample(folder / "a", {.model = "1", .robust = kNine, .population = 50}),
               write_sample(folder / "b", {.model = "2", .robust = kTwo, .population = 50})},
              TableFormat::json, true));
  EXPECT_EQ(both["paired"][1]["method"], "paired-confidence-sequence");
}

TEST(PairedRuns, NeedTwoEvaluationsWithLedgers) {
  const TempFolder folder;
  const auto a = write_sample(folder / "a", {.model = "1", .robust = kNine});
  testing::write_evaluation(folder / "old");
  testing::write_training(folder / "train");
  const auto message = [&](const std::vector<fs::path>& runs) {
    return message_of<DataError>([&] { compare(runs, TableFormat::text, true); });
  };
  EXPECT_TRUE(has(message({a}), "at least two"));
  EXPECT_TRUE(has(message({a, folder / "train"}), "holds no evaluation"));
  fs::remove(folder / "a" / "ledger.sqlite");
  EXPECT_TRUE(has(message({a, a}), "has no ledger.sqlite"));
}

TEST(ComparableRuns, AreOnTheSameImagesElseBothAreNamed) {
  const TempFolder folder;
  const auto a = write_sample(folder / "a", {.model = "1", .robust = kNine});
  const auto b = write_sample(folder / "b", {.model = "2", .robust = kTwo, .data = "e"});
  for (const auto format : {TableFormat::text, TableFormat::latex, TableFormat::json}) {
    const auto text = message_of<DataError>([&] { compare({a, b}, format); });
    EXPECT_TRUE(has(text, a.string() + " and " + b.string() + ": evaluated on different images"))
        << text;
    EXPECT_TRUE(has(text, "set-d, 10 images")) << text;
    EXPECT_TRUE(has(text, "set-e, 10 images")) << text;
  }
}

}  // namespace
}  // namespace namid::report
