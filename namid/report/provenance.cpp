// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "namid/core/format.h"
#include "namid/core/shell.h"
#include "namid/report/parts.h"
#include "namid/report/sections.h"

namespace namid::report {
namespace {

using nlohmann::json;
using Facts = std::vector<std::pair<std::string, std::string>>;

constexpr int kDeepest = 8;

std::string value_text(const json& value) {
  if (value.is_string())
    return value.get<std::string>().empty() ? "(empty)" : value.get<std::string>();
  if (value.is_number_float()) return shortest(value.get<double>());
  if (!value.is_array()) return value.dump(-1, ' ', false, json::error_handler_t::replace);
  std::string text;
  for (const json& item : value) text += str(text.empty() ? "" : ", ", value_text(item));
  return text.empty() ? "(none)" : text;
}

void flatten(const json& value, const std::string& path, int depth, Facts& facts) {
  if (!value.is_object() || depth >= kDeepest) {
    facts.emplace_back(path, value_text(value));
    return;
  }
  for (const auto& [key, member] : value.items()) {
    if (!member.is_object())
      flatten(member, path.empty() ? key : str(path, '.', key), depth + 1, facts);
  }
  for (const auto& [key, member] : value.items()) {
    if (member.is_object())
      flatten(member, path.empty() ? key : str(path, '.', key), depth + 1, facts);
  }
}

Facts facts_of(const RunData& run, std::string_view part) {
  Facts facts;
  const json* member = find_member(run.record, part);
  if (member && member->is_object()) flatten(*member, "", 0, facts);
  return facts;
}

void add_details(Html& page, const std::string& title, const std::string& caption,
                 const Facts& facts) {
  if (facts.empty()) return;
  page.open("details").element("summary", title);
  add_fact_table(page, caption, facts);
  page.close();
}

}  // namespace

std::string shell_command(const RunData& run) {
  const json* words = find_member(run.record, "argv");
  if (!words || !words->is_array()) return {};
  std::string command;
  for (const json& word : *words) {
    if (!word.is_string()) return {};
    command += str(command.empty() ? "" : " ", shell_word(word.get<std::string>()));
  }
  return command;
}

void add_provenance(Html& page, const RunData& run) {
  add_heading(page, "How to repeat it");
  const std::string command = shell_command(run);
  if (!command.empty()) {
    page.open("pre").element("code", command).close();
  }
  if (!run.config.empty()) {
    page.open("p").text(
        "The run folder's config.toml holds every resolved option; it can be given back with ");
    page.element("code", "--config").text(".").close();
  }
  add_details(page, "Resolved options", "As recorded in run.json", facts_of(run, "options"));
  add_details(page, "Data and model", "As recorded in run.json", [&] {
    Facts facts;
    for (const char* part : {"data", "model"}) {
      for (auto& [name, value] : facts_of(run, part))
        facts.emplace_back(str(part, ' ', name), value);
    }
    const std::string weights = text_at(run.record, "result/weights_sha256");
    if (!weights.empty()) facts.emplace_back("trained weights sha256", weights);
    return facts;
  }());
  add_details(page, "Environment", "As recorded in run.json", facts_of(run, "environment"));
}

}  // namespace namid::report
