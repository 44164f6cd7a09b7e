// SPDX-License-Identifier: Apache-2.0
#include "namid/report/report.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "namid/core/error.h"
#include "namid/report/figure_scores.h"
#include "namid/report/reproduction.h"
#include "namid/report/sections.h"
#include "report/has.h"
#include "report/markup_check.h"
#include "report/page.h"
#include "report/sample_run.h"
#include "support/temp_folder.h"

namespace namid::report {
namespace {

using testing::data_error_of;
using testing::has;
using testing::page_of;

using namid::testing::TempFolder;
using nlohmann::json;

void expect_safe(const std::string& page) {
  namid::testing::MarkupCheck check;
  EXPECT_EQ(check.run(page), "");
  for (const std::string& element : check.elements) {
    EXPECT_NE(element, "script");
    EXPECT_NE(element, "iframe");
    EXPECT_NE(element, "link");
  }
  for (std::size_t i = 0; i < check.attribute_names.size(); ++i) {
    const std::string& name = check.attribute_names[i];
    EXPECT_FALSE(name.starts_with("on")) << name;
    if (name == "src" || name == "href" || name == "action") {
      const std::string& value = check.attribute_values[i];
      EXPECT_TRUE(value.starts_with("data:image/png;base64,") ||
                  (name == "href" && value[0] == '#'))
          << name;
    }
  }
  EXPECT_TRUE(
      has(page, "default-src &#39;none&#39;; img-src data:; style-src &#39;unsafe-inline&#39;"));
}

TEST(Report, AModelThatDrawsIsJudgedByFurtherDraws) {
  TempFolder folder;
  namid::testing::write_evaluation(folder / "plain-001");
  EXPECT_FALSE(has(page_of(folder / "plain-001"), "Draws of the model"));
  auto record = namid::testing::evaluation_record();
  const json figures = {{"expected", 0.625},
                        {"standard_error", 0.013},
                        {"voted", 0.375},
                        {"always", 0.25},
                        {"ever", 0.875}};
  record["result"]["drawn"] = {{"draws", 100}, {"natural", figures}, {"robust", figures}};
  namid::testing::write_record(folder / "drawn-001", record);
  const std::string page = page_of(folder / "drawn-001");
  expect_safe(page);
  for (const char* part : {"Draws of the model", "100 further draws", "62.5 %", "1.3 %", "37.5 %"})
    EXPECT_TRUE(has(page, part)) << part;
}

TEST(Report, EvaluationSaysAccuraciesIntervalsAndTheirLimits) {
  TempFolder folder;
  namid::testing::write_evaluation(folder / "attacked-001");
  const std::string page = page_of(folder / "attacked-001");
  expect_safe(page);
  for (const char* part :
       {"<h1>attacked-001</h1>", "76.9 %", "63.9 %", "60.9 to 66.9 %", "639 of 1000 images",
        "sampling error of these images under this attack only", "upper bound on robustness",
        "no lower bound", "pgd-40", "L∞", "0.025, a quarter of epsilon",
        "<th scope=\"row\" class=\"words\">coat</th>", "namid evaluate --seed 7", "difference ×5",
        "2.13.0", "30760"}) {
    EXPECT_TRUE(has(page, part)) << part;
  }
}

TEST(Report, TrainingListsItsAlarms) {
  TempFolder folder;
  namid::testing::write_training(folder / "plain");
  EXPECT_FALSE(has(page_of(folder / "plain"), "Alarms"));
  auto record = namid::testing::training_record("namid", "2026-03-04T11:00:00Z");
  record["result"]["alarms"] = {{{"alarm", "incredible_scores"},
                                 {"action", "warn"},
                                 {"epochs", 3},
                                 {"first_epoch", 4},
                                 {"last_epoch", 9},
                                 {"text", "epoch 4: mean scores <in nats>"}}};
  namid::testing::write_record(folder / "raised", record);
  const std::string page = page_of(folder / "raised");
  expect_safe(page);
  for (const char* part : {"<h2>Alarms</h2>", "incredible scores", "4 to 9", "&lt;in nats&gt;"})
    EXPECT_TRUE(has(page, part)) << part;
}

TEST(Report, ReproductionsStandBesideThePublishedFigures) {
  const TempFolder folder;
  const MeasuredRow row{
      .name = "n",
      .paper = "Table 3: NAMID <b>",
      .table = "3",
      .data = "cifar10",
      .norm = "linf",
      .defense = "namid",
      .seeds = {0},
      .verdicts = {{"last", {{"pgd-40", {{1, 1, 0, 0}}}, {"apgd", {{1, 0, 0, 0}}}}}}};
  const json study = {
      {"critics",
       {{{"objective", "natural"},
         {"fig2", {{"pgd-10", {{"natural_on_natural", {{"mean", 1.25}, {"sem", 0.1}}}}}}}}}}};
  const json record = {{"command", "reproduce"},
                       {"status", "done"},
                       {"result",
                        {{"judge", "apgd"},
                         {"rows", reproduction_rows({row}, "apgd")},
                         {"scores", figure_scores("fig2", {study})}}}};
  namid::testing::write_record(folder / "fine", record);
  const auto page = page_of(folder / "fine");
  expect_safe(page);
  for (const char* part :
       {"44.79 ± 0.50", "Table 3: NAMID &lt;b&gt;", "50.00", "25.00", "1.250", "not available"})
    EXPECT_TRUE(has(page, part)) << part;

  json broken = record;
  broken["result"]["rows"] = {{{"measured", 3}}};
  namid::testing::write_record(folder / "broken", broken);
  EXPECT_TRUE(has(data_error_of(folder / "broken"), "expected the rows of a reproduction"));
}

TEST(Report, SaysWhenTestImagesChoseTheWeights) {
  TempFolder folder;
  auto training = namid::testing::training_record("standard", "2026-03-04T11:00:00Z");
  training["result"]["validated_on"] = "test";
  training["data"]["test"] = 1000;
  namid::testing::write_record(folder / "chosen", training);
  auto evaluation = namid::testing::evaluation_record();
  evaluation["chosen_on"] = "test";
  namid::testing::write_record(folder / "evaluated", evaluation);
  for (const char* run : {"chosen", "evaluated"}) {
    const std::string page = page_of(folder / run);
    expect_safe(page);
    EXPECT_TRUE(has(page, "on test images that chose the weights")) << run;
    EXPECT_TRUE(has(page, "biased upwards and compare with no others")) << run;
    EXPECT_NE(compare({folder / run}, TableFormat::text).find("(test, chose the weights)"),
              std::string::npos)
        << run;
  }
}

TEST(Report, DemoShowsItsRowsCurvesAndScoresUnderTheirTrueName) {
  TempFolder folder;
  namid::testing::write_demo(folder / "demo");
  const std::string page = page_of(folder / "demo");
  expect_safe(page);
  for (const char* part :
       {"85.6 %", "0.7 %", "64.1 %", "DV scores (nats)", "not mutual information",
        "NAMID model, fresh estimators", "Robust accuracy on validation (%)", "one seed",
        "natural, epoch 12", "Learning rate"}) {
    EXPECT_TRUE(has(page, part)) << part;
  }
  EXPECT_LT(page.size(), 200'000u) << "a page to hand over stays small";
}

TEST(Report, TrainingNumbersAreCalledValidation) {
  TempFolder folder;
  namid::testing::write_training(folder / "t");
  const std::string page = page_of(folder / "t");
  expect_safe(page);
  EXPECT_TRUE(has(page, "Robust accuracy on validation images"));
  EXPECT_TRUE(has(page, "no test images were evaluated"));
  EXPECT_FALSE(has(page, "Clopper"));
  EXPECT_TRUE(
      has(page, "namid train --defense standard --data &#39;my data/it&#39;\\&#39;&#39;s&#39;"));
}

TEST(Report, EstimationShowsScoresAndNoAccuracy) {
  TempFolder folder;
  namid::testing::write_estimation(folder / "e");
  const std::string page = page_of(folder / "e");
  expect_safe(page);
  EXPECT_TRUE(has(page, "natural estimator, adversarial images"));
  EXPECT_TRUE(has(page, "2.410"));
  EXPECT_FALSE(has(page, "<h2>Result</h2>"));
}

TEST(Report, UnfinishedRunsSaySo) {
  TempFolder folder;
  json record = namid::testing::base_record("train", "2026-03-04T11:00:00Z");
  record["status"] = "failed";
  record["error"] = "step 12: loss is nan";
  namid::testing::write_record(folder / "f", record);
  const std::string failed = page_of(folder / "f");
  expect_safe(failed);
  EXPECT_TRUE(has(failed, "This run failed.</strong> step 12: loss is nan"));
  record["status"] = "interrupted";
  record.erase("error");
  namid::testing::write_record(folder / "f", record);
  EXPECT_TRUE(has(page_of(folder / "f"), "This run was interrupted"));
}

TEST(Report, UnfinishedDemoShowsWhatWasMeasured) {
  TempFolder folder;
  json record = namid::testing::base_record("demo", "2026-03-04T11:00:00Z");
  record["status"] = "interrupted";
  namid::testing::write_record(folder / "d", record);
  namid::testing::write_training(folder / "d" / "natural", "natural");
  namid::testing::write_evaluation(folder / "d" / "natural-evaluation", 856, 7);
  const std::string page = page_of(folder / "d");
  EXPECT_TRUE(has(page, "85.6 %"));
  EXPECT_TRUE(has(page, "0.7 %"));
}

TEST(Report, EmptyRecordGivesAPageThatInventsNothing) {
  TempFolder folder;
  namid::testing::write_record(folder / "bare", json::object());
  const std::string page = page_of(folder / "bare");
  expect_safe(page);
  for (const char* part :
       {"<h2>Result", "<h2>Training", "<h2>What the attack", "<h2>Images", "nan"}) {
    EXPECT_FALSE(has(page, part)) << part;
  }
}

TEST(Report, HostileTextsStayText) {
  TempFolder folder;
  const std::string attack = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>";
  json record = namid::testing::evaluation_record();
  record["data"]["classes"] = json::array();
  for (int i = 0; i < 10; ++i) record["data"]["classes"].push_back(attack);
  record["data"]["name"] = "javascript:alert(1)";
  record["model"]["name"] = attack;
  record["argv"] = {"namid", "evaluate", attack, "\x1b[2J\u202Eevil"};
  record["options"][attack] = attack;
  record["environment"][attack] = attack;
  record["result"]["attacks"][0]["name"] = attack;
  record["result"]["warnings"] = {attack};
  const auto run = folder / "<b onclick=x>&'\"";
  namid::testing::write_record(run, record);
  namid::testing::write_gallery(run);
  const std::string page = page_of(run);
  expect_safe(page);
  EXPECT_TRUE(has(page, "&lt;script&gt;alert(1)"));
  EXPECT_FALSE(has(page, "<script"));
  EXPECT_FALSE(has(page, "<b onclick"));
  EXPECT_FALSE(has(page, "\x1b"));
  EXPECT_FALSE(has(page, "\u202E"));
}

TEST(Report, CorruptRecordsAreDataErrorsThatNameTheFile) {
  TempFolder folder;
  std::filesystem::create_directories(folder / "r");
  EXPECT_TRUE(has(data_error_of(folder / "r"), "run.json"));
  for (const char* text : {"", "{", "[1, 2]", "\"text\"", "{\"result\": nul"}) {
    namid::testing::write_text(folder / "r" / "run.json", text);
    EXPECT_TRUE(has(data_error_of(folder / "r"), "run.json")) << text;
  }
}

TEST(Report, ImpossibleAccuraciesAreDataErrors) {
  TempFolder folder;
  json record = namid::testing::evaluation_record();
  record["result"]["robust"]["accuracy"] = 63.9;
  namid::testing::write_record(folder / "r", record);
  EXPECT_TRUE(has(data_error_of(folder / "r"),
                  "run.json: result/robust/accuracy: expected a number in [0, 1], got 63.9"));
  record["result"]["robust"]["accuracy"] = 0.639;
  record["result"]["robust"]["lower"] = 0.7;
  namid::testing::write_record(folder / "r", record);
  EXPECT_TRUE(has(data_error_of(folder / "r"), "result/robust/lower: expected at most 0.639"));
}

TEST(Report, MembersOfOtherTypesAreLeftOut) {
  TempFolder folder;
  json record = namid::testing::base_record("evaluate", "2026");
  record["result"] = {{"natural", "high"},       {"robust", json::array()}, {"attacks", 7},
                      {"per_class", {{"a", 1}}}, {"warnings", "none"},      {"scores", {1, 2}}};
  record["options"] = 5;
  record["argv"] = {1, 2};
  record["data"] = "x";
  namid::testing::write_record(folder / "r", record);
  expect_safe(page_of(folder / "r"));
}

TEST(Report, BrokenMetricRowsAreCountedNotShown) {
  TempFolder folder;
  namid::testing::write_training(folder / "t");
  std::ofstream(folder.path() / "t" / "metrics.jsonl", std::ios::app)
      << "{\"kind\":\"epoch\",\"step\":600,\"epoch\":13,\"loss\":null}\n[]\n{\"kind\":\"ep";
  const std::string page = page_of(folder / "t");
  expect_safe(page);
  EXPECT_TRUE(has(page, "metrics.jsonl: unreadable lines left out: 2"));
}

TEST(Report, GalleryOfAnotherShapeIsRefusedByName) {
  TempFolder folder;
  namid::testing::write_evaluation(folder / "e");
  run::write_tensor_file(folder / "e" / "gallery.safetensors",
                         {{"x", at::zeros({2, 1, 4, 4})}, {"x_adv", at::zeros({2, 1, 4, 5})}});
  EXPECT_TRUE(
      has(data_error_of(folder / "e"), "gallery.safetensors: expected tensors x and x_adv"));
}

TEST(Report, SecondReportIsByteForByteTheFirst) {
  TempFolder folder;
  namid::testing::write_demo(folder / "demo");
  EXPECT_EQ(page_of(folder / "demo"), page_of(folder / "demo"));
}

TEST(Report, SampleForTheEye) {
  const char* sample = std::getenv("NAMID_REPORT_SAMPLE");
  if (!sample) GTEST_SKIP() << "NAMID_REPORT_SAMPLE names no folder";
  const std::filesystem::path folder(sample);
  namid::testing::write_demo(folder / "demo-001");
  namid::testing::write_evaluation(folder / "evaluate-001");
  namid::testing::write_training(folder / "train-001");
  json record = namid::testing::base_record("train", "2026-03-04T11:00:00Z");
  record["status"] = "failed";
  record["error"] = "step 12: loss is nan";
  namid::testing::write_record(folder / "failed-001", record);
  for (const char* run : {"demo-001", "evaluate-001", "train-001", "failed-001"}) {
    EXPECT_TRUE(std::filesystem::exists(write_report(folder / run)));
  }
}

}  // namespace
}  // namespace namid::report
