// SPDX-License-Identifier: Apache-2.0
#include "namid/report/gate_report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "report/has.h"
#include "report/markup_check.h"

namespace namid::report {
namespace {

using testing::has;

GateReport report_of(const std::string& run, Decision answer = Decision::open) {
  eval::GateCheck passed{.claim = "natural>=0.9",
                         .answer = Decision::yes,
                         .value = 0.95,
                         .interval = {.low = 0.93, .high = 0.97},
                         .method = "clopper-pearson",
                         .images = 500,
                         .of = 500};
  auto other = passed;
  other.claim = "drop<=0.01 against " + run;
  other.answer = answer;
  return {.run = run, .checks = {passed, other}};
}

std::string without_declaration(const std::string& xml) {
  EXPECT_EQ(xml.rfind("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", 0), 0u);
  return xml.substr(xml.find('\n') + 1);
}

TEST(GateReport, JunitHasACasePerQuestionAndAFailurePerUnmetOne) {
  testing::MarkupCheck check;
  const auto xml = without_declaration(gate_junit(report_of("run")));
  EXPECT_EQ(check.run(xml), "");
  EXPECT_EQ(check.elements, (std::vector<std::string>{"testsuites", "testsuite", "testcase",
                                                      "system-out", "testcase", "failure"}));
  EXPECT_TRUE(has(xml, "tests=\"2\" failures=\"1\" errors=\"0\"")) << xml;
  EXPECT_TRUE(has(xml, "type=\"undecided\"")) << xml;
  EXPECT_TRUE(has(xml, "[93.00, 97.00] %")) << xml;
  EXPECT_TRUE(has(gate_junit(report_of("run", Decision::no)), "type=\"no\""));
  EXPECT_FALSE(has(gate_junit(report_of("run", Decision::yes)), "<failure"));
}

TEST(GateReport, HostileNamesBreakNoDocument) {
  const auto report = report_of("a\"b<c>&'|\n\x1b[2J]]>\xff");
  testing::MarkupCheck check;
  EXPECT_EQ(check.run(without_declaration(gate_junit(report))), "");
  EXPECT_EQ(std::count(check.elements.begin(), check.elements.end(), "c"), 0);
  EXPECT_FALSE(has(gate_junit(report), "\x1b"));
  const auto markdown = gate_markdown(report);
  EXPECT_TRUE(has(markdown, "Run a\"b\\<c\\>\\&'\\|??\\[2J\\]\\]\\>")) << markdown;
  EXPECT_FALSE(has(gate_text(report), "\x1b"));
  EXPECT_NO_THROW(gate_json(report).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

TEST(GateReport, SaysInWordsWhetherItIsPassed) {
  EXPECT_TRUE(has(gate_text(report_of("run")), "undecided, so not shown"));
  EXPECT_TRUE(gate_text(report_of("run")).ends_with("Not passed: 1 of 2 not shown.\n"));
  EXPECT_TRUE(gate_text(report_of("run", Decision::yes)).ends_with("\nPassed.\n"));
  EXPECT_TRUE(has(gate_markdown(report_of("run")), "### Robustness gate: not passed\n"));
  EXPECT_TRUE(has(gate_markdown(report_of("run", Decision::yes)), "gate: passed\n"));
  EXPECT_FALSE(report_of("run").met());
  EXPECT_EQ(gate_json(report_of("run"))["checks"][1]["answer"], "undecided");
}

}  // namespace
}  // namespace namid::report
