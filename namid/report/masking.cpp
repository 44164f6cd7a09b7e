// SPDX-License-Identifier: Apache-2.0
#include "namid/core/format.h"
#include "namid/report/parts.h"
#include "namid/report/sections.h"

namespace namid::report {
namespace {

/// A sign and a word: never colour alone.
std::string masking_status(const std::string& status) {
  if (status == "pass") return "✓ pass";
  if (status == "warn") return "! warning";
  if (status == "fail") return "✗ fail";
  return "– skipped";
}

std::string masking_name(std::string name) {
  for (char& c : name)
    if (c == '_') c = ' ';
  return name;
}

std::string masking_measured(const RunData& run, const std::string& path) {
  const auto* measured = find_member(run.record, path);
  if (!measured || !measured->is_object()) return {};
  std::string text;
  for (const auto& [name, value] : measured->items())
    if (value.is_number())
      text += str(text.empty() ? "" : ", ", masking_name(name), " ", shortest(value.get<double>()));
  return text;
}

std::string masking_percent(const RunData& run, const std::string& path) {
  const auto value = number_at(run.record, path);
  return value ? fixed(100 * *value, 1) + " %" : std::string();
}

void add_masking_verdict(Html& page, const RunData& run) {
  const auto verdict = text_at(run.record, "result/masking/verdict");
  const auto attack = text_at(run.record, "result/masking/white_box/attack");
  if (verdict == "fail") {
    page.open("div", {{"class", "alert"}, {"role", "note"}});
    page.element("strong", "✗ The model hides its gradients.");
    page.text(str(" Its accuracy under ", attack,
                  " says little of how robust it is: run what the failed checks name."));
    page.close();
    return;
  }
  add_paragraph(page, verdict == "warn"
                          ? "! No check fails; the warnings name what to run beside."
                          : "✓ No check found a sign of hidden gradients, which does not show "
                            "that there are none.");
}

void add_masking_checks(Html& page, const RunData& run) {
  std::vector<Cells> table;
  for (int i = 0; find_member(run.record, str("result/masking/checks/", i)); ++i) {
    const auto path = str("result/masking/checks/", i);
    const auto at = [&](const char* key) { return text_at(run.record, str(path, "/", key)); };
    table.push_back({words(masking_name(at("name"))), words(masking_status(at("status"))),
                     words(masking_measured(run, path + "/measured")), words(at("threshold")),
                     words(at("meaning")), words(at("run_next"))});
  }
  add_table(page,
            str("Checks on ", text_at(run.record, "result/masking/images"),
                " images; intervals are 98 %, paired where two attacks are compared"),
            {words("check"), words("status"), words("measured"), words("threshold"),
             words("meaning"), words("run next")},
            table);
}

void add_masking_breakers(Html& page, const RunData& run) {
  std::vector<Cells> table;
  for (int i = 0; find_member(run.record, str("result/masking/broken_by/", i)); ++i) {
    const auto path = str("result/masking/broken_by/", i);
    table.push_back({words(text_at(run.record, path + "/attack")),
                     number(masking_percent(run, path + "/accuracy_before")),
                     number(masking_percent(run, path + "/accuracy_after")),
                     words(text_at(run.record, path + "/command"))});
  }
  if (table.empty()) return;
  add_table(page, "Attacks of the same ball that surely break more",
            {words("attack"), number("accuracy under the white-box attack"),
             number("under this attack"), words("command")},
            table);
}

}  // namespace

void add_masking(Html& page, const RunData& run) {
  if (!find_member(run.record, "result/masking/checks")) return;
  add_heading(page, "Masked gradients");
  add_masking_verdict(page, run);
  add_masking_checks(page, run);
  add_masking_breakers(page, run);
}

}  // namespace namid::report
