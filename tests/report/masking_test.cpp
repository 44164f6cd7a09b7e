// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "namid/report/report.h"
#include "report/sample_run.h"
#include "support/files.h"
#include "support/temp_folder.h"

namespace namid::report {
namespace {

using namid::testing::TempFolder;
using nlohmann::json;

json masking_record(const std::string& verdict) {
  const auto check = [](const char* name, const char* status, const json& next) {
    return json{{"name", name},
                {"status", status},
                {"measured", {{"share", 0.875}}},
                {"threshold", "one image"},
                {"meaning", "so <it> is"},
                {"run_next", next}};
  };
  auto record = namid::testing::base_record("masking", "2026-01-02T03:04:05Z");
  record["result"]["masking"] = {
      {"verdict", verdict},
      {"images", 200},
      {"white_box", {{"attack", "pgd-40"}}},
      {"checks",
       {check("zero_gradient", verdict.c_str(), "namid evaluate m --suite 'square(queries=9)'"),
        check("transfer_beats_white_box", "skipped", nullptr)}},
      {"broken_by",
       {{{"attack", "square"},
         {"accuracy_before", 0.8},
         {"accuracy_after", 0.125},
         {"command", "namid evaluate m"}}}}};
  return record;
}

std::string page_with(const json& record) {
  TempFolder folder;
  namid::testing::write_record(folder / "m", record);
  return namid::testing::bytes_of(write_report(folder / "m"));
}

bool holds(const std::string& page, const std::string& part) {
  return page.find(part) != std::string::npos;
}

TEST(MaskingSection, SaysTheStatusInWordsAndNamesWhatToRun) {
  const auto page = page_with(masking_record("fail"));
  EXPECT_TRUE(holds(page, "Masked gradients"));
  EXPECT_TRUE(holds(page, "✗ fail"));
  EXPECT_TRUE(holds(page, "– skipped"));
  EXPECT_TRUE(holds(page, "zero gradient"));
  EXPECT_TRUE(holds(page, "share 0.875"));
  EXPECT_TRUE(holds(page, "so &lt;it&gt; is"));
  EXPECT_TRUE(holds(page, "square(queries=9)"));
  EXPECT_TRUE(holds(page, "80.0 %"));
  EXPECT_TRUE(holds(page, "12.5 %"));
  EXPECT_TRUE(holds(page, "The model hides its gradients"));
}

TEST(MaskingSection, ClaimsNoMoreThanTheChecksShow) {
  EXPECT_TRUE(holds(page_with(masking_record("pass")), "does not show that there are none"));
  EXPECT_TRUE(holds(page_with(masking_record("warn")), "No check fails"));
  EXPECT_FALSE(holds(page_with(masking_record("pass")), "hides its gradients"));
}

TEST(MaskingSection, IsLeftOutOfOtherRuns) {
  EXPECT_FALSE(holds(page_with(namid::testing::base_record("evaluate", "2026-01-02T03:04:05Z")),
                     "Masked gradients"));
}

}  // namespace
}  // namespace namid::report
