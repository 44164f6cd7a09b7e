// SPDX-License-Identifier: Apache-2.0
#include "namid/report/model_card.h"

#include <cmath>
#include <fstream>
#include <sstream>

#include "namid/core/format.h"
#include "namid/core/option_set.h"
#include "namid/io/records.h"
#include "namid/io/sha256.h"
#include "namid/report/parts.h"
#include "namid/report/results.h"
#include "namid/report/sections.h"

namespace namid::report {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

AboutModel read_about(const RunData& run) {
  AboutModel about;
  const auto path = run.path / "about.toml";
  std::ifstream file(path, std::ios::binary);
  if (!file) return about;
  std::ostringstream text;
  text << file.rdbuf();
  OptionSet set;
  set.add("", about);
  io::apply_toml(set, text.str(), path.string());
  return about;
}

json or_null(const std::string& text) {
  return text.empty() ? json(nullptr) : json(text);
}

json member_or_null(const RunData& run, std::string_view path) {
  const json* member = find_member(run.record, path);
  return member ? *member : json(nullptr);
}

json percent_text(const std::optional<Accuracy>& accuracy) {
  return accuracy ? json(fixed(100 * accuracy->value, 2)) : json(nullptr);
}

/// "8/255" for whole numbers of 255ths, else the shortest decimal.
json radius_text(const std::optional<double>& epsilon) {
  if (!epsilon) return nullptr;
  const double levels = *epsilon * 255;
  const bool whole = std::abs(levels - std::round(levels)) < 1e-6 && levels > 0.5 && levels < 254.5;
  return whole ? str(fixed(levels, 0), "/255") : shortest(*epsilon);
}

/// Nothing was left out that would make the suite's figure another one.
bool is_whole_autoattack(const RunData& run) {
  return option_of(run, "suite") == "autoattack" && option_of(run, "surrogate").empty() &&
         option_of(run, "aa_version") != "reference" &&
         text_at(run.record, "result/combine") == "worst_case" &&
         !find_member(run.record, "result/decision") && !find_member(run.record, "result/sampled");
}

json additional_data(AdditionalData value) {
  if (value == AdditionalData::unknown) return nullptr;
  return value == AdditionalData::yes;
}

json unreliable(const RunData& run) {
  const auto verdict = text_at(run.record, "result/masking/verdict");
  return verdict.empty() ? json(nullptr) : json(verdict == "fail");
}

json file_hash(const fs::path& path) {
  return fs::exists(path) ? json(io::sha256_file(path)) : json(nullptr);
}

json hashes_of(const RunData& run) {
  return {{"weights", member_or_null(run, "model/sha256")},
          {"data", member_or_null(run, "data/sha256")},
          {"options", file_hash(run.path / "config.toml")},
          {"ledger", file_hash(run.path / "ledger.sqlite")},
          {"commit", member_or_null(run, "environment/commit")}};
}

json evidence_of(const RunData& run) {
  const AttackFacts attack = attack_of(run);
  const auto certified = member_or_null(run, "result/certificates");
  json out = {{"schema", 1},
              {"run", run.name()},
              {"norm", or_null(attack.norm)},
              {"epsilon", attack.epsilon ? json(*attack.epsilon) : json(nullptr)},
              {"suite", or_null(option_of(run, "suite"))},
              {"n", member_or_null(run, "result/n")},
              {"natural", member_or_null(run, "result/natural")},
              {"robust", member_or_null(run, "result/robust")},
              {"certificates", certified},
              {"bounds", member_or_null(run, "result/headline")},
              {"attacks", member_or_null(run, "result/attacks")},
              {"per_class", member_or_null(run, "result/per_class")},
              {"masking", member_or_null(run, "result/masking")},
              {"hashes", hashes_of(run)},
              {"seed", member_or_null(run, "seed")},
              {"parameters", member_or_null(run, "model/parameters")},
              {"command", or_null(shell_command(run))},
              {"ended", member_or_null(run, "ended")},
              {"environment", member_or_null(run, "environment")}};
  return out;
}

}  // namespace

bool has_model_card(const RunData& run) {
  return text_at(run.record, "command") == "evaluate" && text_at(run.record, "status") == "done" &&
         accuracy_at(run, "result/robust");
}

json model_card(const RunData& run) {
  const AboutModel about = read_about(run);
  const auto robust = accuracy_at(run, "result/robust");
  const auto passes = number_at(run.record, "options/verdict_draws");
  return {{"link", or_null(about.link)},
          {"name", or_null(about.name)},
          {"authors", or_null(about.authors)},
          {"additional_data", additional_data(about.additional_data)},
          {"number_forward_passes", passes ? static_cast<int>(*passes) : 1},
          {"dataset", or_null(text_at(run.record, "data/name"))},
          {"venue", or_null(about.venue)},
          {"architecture", or_null(text_at(run.record, "model/name"))},
          {"eps", radius_text(number_at(run.record, "options/attack/epsilon"))},
          {"clean_acc", percent_text(accuracy_at(run, "result/natural"))},
          {"reported", or_null(about.reported)},
          {"autoattack_acc", is_whole_autoattack(run) ? percent_text(robust) : json(nullptr)},
          {"footnote", or_null(about.footnote)},
          {"unreliable", unreliable(run)},
          {"namid", evidence_of(run)}};
}

void add_model_card(Html& page, const RunData& run) {
  if (!has_model_card(run)) return;
  const json card = model_card(run);
  add_heading(page, "Model card");
  page.open("p").text("Also in the run folder as ");
  page.element("code", "model_card.json")
      .text(": the keys of RobustBench's model files, and under ")
      .element("code", "namid")
      .text(" counts, intervals, attacks and hashes.");
  page.close();
  std::vector<std::pair<std::string, std::string>> facts;
  for (const auto& [key, value] : card.items())
    if (key != "namid") facts.emplace_back(key, value.is_null() ? "" : text_at(card, key));
  for (const auto& [key, value] : card.at("namid").at("hashes").items())
    facts.emplace_back(key == "commit" ? "namid's commit" : str("hash of ", key),
                       value.is_string() ? value.get<std::string>() : "");
  add_fact_table(page, "What is known; the rest is null in the file", facts);
}

}  // namespace namid::report
