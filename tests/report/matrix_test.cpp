// SPDX-License-Identifier: Apache-2.0
#include "namid/report/matrix_table.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "namid/core/error.h"
#include "namid/report/report.h"
#include "namid/report/table_cells.h"
#include "report/has.h"
#include "report/markup_check.h"
#include "report/sample_run.h"
#include "support/temp_folder.h"

namespace namid::report {
namespace {

using namid::testing::accuracy;
using namid::testing::has;
using namid::testing::TempFolder;
using nlohmann::json;

json matrix_cell(const std::string& surrogate, const std::string& target, int robust) {
  return {{"surrogate", surrogate},
          {"target", target},
          {"white_box", surrogate == target},
          {"run", surrogate + "--" + target},
          {"n", 200},
          {"natural", accuracy(150, 200, 0.06, 0.05)},
          {"robust",
           {{"pgd-40", accuracy(robust, 200, 0.06, 0.06)},
            {"autoattack", accuracy(robust - 10, 200, 0.06, 0.06)}}},
          {"errors", json::object()}};
}

json sample_matrix() {
  return {{"attacks", {"pgd-40", "autoattack"}},
          {"budgets",
           {{{"norm", "linf"}, {"epsilon", 0.1}}, {{"norm", "wasserstein"}, {"epsilon", 0.005}}}},
          {"cells",
           {matrix_cell("vgg_a", "vgg_a", 80), matrix_cell("vgg_a", "cnn", 120),
            matrix_cell("cnn", "vgg_a", 110), matrix_cell("cnn", "cnn", 70)}}};
}

TEST(Matrix, LinesAreThePapersColumnsWithTheDiagonalMarked) {
  const auto lines = matrix_lines(sample_matrix());
  EXPECT_EQ(lines[0], (std::vector<std::string>{"surrogate", "target", "None", "PGD-40", "AA"}));
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[1][1], "vgg_a *");
  EXPECT_EQ(lines[2], (std::vector<std::string>{"vgg_a", "cnn", "75.00 [69.00, 80.00]",
                                                "60.00 [54.00, 66.00]", "55.00 [49.00, 61.00]"}));
  EXPECT_EQ(paper_heading("ti-dim"), "TI-DIM");
  const auto text = matrix_text(sample_matrix());
  EXPECT_TRUE(has(text, "over all 200 images")) << text;
  EXPECT_TRUE(has(text, "linf 0.1; autoattack: wasserstein 0.005")) << text;
  EXPECT_TRUE(has(text, "* white-box")) << text;
  EXPECT_TRUE(has(matrix_markdown(sample_matrix()), "| cnn       | cnn *   |"));
}

TEST(Matrix, WithoutADiagonalNothingIsSaidOfOneAndAFailureIsSaid) {
  auto matrix = sample_matrix();
  auto cell = matrix_cell("a", "b", 100);
  cell["robust"].erase("autoattack");
  matrix["cells"] = json::array({cell});
  EXPECT_EQ(matrix_lines(matrix)[1][4], "failed");
  EXPECT_FALSE(has(matrix_text(matrix), "white-box"));
}

TEST(Matrix, LatexIsATabularOfBooktabsWithItsNamesEscaped) {
  const auto text = matrix_latex(sample_matrix());
  EXPECT_TRUE(has(text, "\\begin{tabular}{llccc}\n\\hline\n")) << text;
  EXPECT_TRUE(has(text, "surrogate & target & None & PGD-40 & AA \\\\\n\\hline\n")) << text;
  EXPECT_TRUE(has(text, "vgg\\_a & vgg\\_a$^*$ & 75.00 {\\scriptsize[69.00, 80.00]}")) << text;
  EXPECT_TRUE(has(text, "\n & cnn & ")) << "the surrogate once for its rows: " << text;
  EXPECT_TRUE(text.ends_with("\\hline\n\\end{tabular}\n")) << text;
}

std::string page_of_matrix(const TempFolder& temp, const json& matrix) {
  auto record = namid::testing::base_record("transfer", "2026-03-04T11:00:00Z");
  record["result"] = {{"matrix", matrix}};
  namid::testing::write_record(temp / "run", record);
  std::ifstream file(write_report(temp / "run"), std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Matrix, ThePageHasNumbersBesideTheTintsAndATableForEachSurrogateAndAttack) {
  const TempFolder temp;
  const auto page = page_of_matrix(temp, sample_matrix());
  namid::testing::MarkupCheck check;
  EXPECT_EQ(check.run(page), "");
  EXPECT_TRUE(has(page, "Accuracy under images made on vgg_a"));
  EXPECT_TRUE(has(page, "Accuracy under images made on cnn"));
  EXPECT_TRUE(has(page, "AA: targets by surrogates"));
  EXPECT_TRUE(has(page, "background:rgba(11,92,173,0.270)\">60.0 %")) << "0.45 times 0.6";
  EXPECT_TRUE(has(page, "40.0 % *"));
  EXPECT_TRUE(has(page, "[54.0, 66.0]"));
}

TEST(Matrix, ARecordOfAnotherFormIsNamed) {
  const TempFolder temp;
  try {
    page_of_matrix(temp, {{"cells", {{{"surrogate", 3}}}}});
    FAIL() << "no error";
  } catch (const DataError& error) {
    EXPECT_TRUE(has(error.what(), "run.json: result: expected the matrix")) << error.what();
  }
}

}  // namespace
}  // namespace namid::report
