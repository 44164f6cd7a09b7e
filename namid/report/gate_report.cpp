// SPDX-License-Identifier: Apache-2.0
#include "namid/report/gate_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "namid/core/format.h"
#include "namid/report/html.h"
#include "namid/report/table_cells.h"

namespace namid::report {
namespace {

std::string verdict_line(const GateReport& report) {
  const auto failed =
      std::count_if(report.checks.begin(), report.checks.end(), [](auto& c) { return !c.met(); });
  if (failed == 0) return "Passed.";
  return str("Not passed: ", failed, " of ", report.checks.size(), " not shown.");
}

const char* answer_word(const eval::GateCheck& check) {
  if (check.met()) return "yes";
  return check.answer == Decision::no ? "no" : "undecided";
}

std::string gate_range(const namid::Interval& interval) {
  return str("[", fixed(100 * interval.low, 2), ", ", fixed(100 * interval.high, 2), "]");
}

}  // namespace

bool GateReport::met() const {
  return std::all_of(checks.begin(), checks.end(), [](const auto& check) { return check.met(); });
}

std::string gate_text(const GateReport& report) {
  std::string text;
  for (const auto& check : report.checks) text += printable(eval::to_text(check)) + "\n";
  return text + verdict_line(report) + "\n";
}

nlohmann::json gate_json(const GateReport& report) {
  auto checks = nlohmann::json::array();
  for (const auto& check : report.checks) checks.push_back(eval::to_json(check));
  return {{"run", report.run}, {"met", report.met()}, {"checks", checks}};
}

std::string gate_junit(const GateReport& report) {
  const auto failed =
      std::count_if(report.checks.begin(), report.checks.end(), [](auto& c) { return !c.met(); });
  const auto tests = str(report.checks.size()), failures = str(failed);
  Html xml;  // it writes well-formed XML, every text escaped
  xml.open("testsuites", {{"name", "namid gate"}, {"tests", tests}, {"failures", failures}});
  xml.open("testsuite", {{"name", report.run},
                         {"tests", tests},
                         {"failures", failures},
                         {"errors", "0"},
                         {"skipped", "0"}});
  for (const auto& check : report.checks) {
    const auto text = eval::to_text(check);
    xml.open("testcase", {{"classname", "namid.gate"}, {"name", check.claim}});
    if (check.met()) {
      xml.element("system-out", text);
    } else {
      xml.element(
          "failure", text,
          {{"message", str(check.claim, ": ", answer_word(check))}, {"type", answer_word(check)}});
    }
    xml.close();
  }
  xml.close().close();
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + xml.markup() + "\n";
}

std::string gate_markdown(const GateReport& report) {
  std::string out = str("### Robustness gate: ", report.met() ? "passed" : "not passed", "\n\nRun ",
                        markdown_cell(printable(report.run)), "\n\n");
  out += markdown_line({"claim", "answer", "measured %", "limits %", "level", "about", "images"});
  out += "|---|---|--:|--:|--:|---|--:|\n";
  for (const auto& check : report.checks) {
    const bool set = check.population == eval::Population::data_set;
    out += markdown_line(
        {markdown_cell(printable(check.claim)), answer_word(check), fixed(100 * check.value, 2),
         gate_range(check.interval), shortest(check.level),
         set ? "the images of the data set" : "the distribution behind the images",
         check.images == check.of ? str(check.images) : str(check.images, " of ", check.of)});
  }
  out += "\n";
  for (const auto& check : report.checks)
    if (!check.met()) out += str("- ", markdown_cell(printable(eval::to_text(check))), "\n");
  return out + "\n";
}

}  // namespace namid::report
