// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <sstream>

#include "apps/namid/command.h"
#include "apps/namid/evaluate_command.h"
#include "apps/namid/flags.h"
#include "apps/namid/inputs.h"
#include "namid/eval/ledger_diff.h"
#include "namid/eval/ledger_merge.h"
#include "namid/eval/summary.h"

namespace namid::app {
namespace {

using nlohmann::literals::operator""_json_pointer;

std::filesystem::path ledger_file(const std::string& path) {
  return resolve_input(path, "ledger.sqlite", "ledger");
}

void add_diff(CLI::App& app) {
  struct State {
    std::string a, b;
    std::size_t rows = 20;
    bool as_json = false;
  };
  auto state = std::make_shared<State>();
  auto* sub = app.add_subcommand("diff",
                                 "two ledgers row by row, timings aside; exit code 6 if they "
                                 "differ");
  sub->allow_extras();
  sub->add_option("A", state->a, "run folder or ledger")->required();
  sub->add_option("B", state->b, "run folder or ledger")->required();
  sub->add_option("--rows", state->rows, "discordant samples that are listed")
      ->capture_default_str();
  sub->add_flag("--json", state->as_json, "print one JSON document on stdout");
  sub->callback([state, sub] {
    refuse_extras(*sub);
    const auto found = eval::diff(eval::Ledger::open(ledger_file(state->a)),
                                  eval::Ledger::open(ledger_file(state->b)));
    std::fputs(state->as_json ? (eval::to_json(found).dump(2) + "\n").c_str()
                              : eval::to_text(found, state->rows).c_str(),
               stdout);
    if (!found.empty()) throw Exit{static_cast<int>(ExitCode::not_met)};
  });
}

eval::SummaryFacts facts_of(const eval::Ledger::Identity& identity, const json& record) {
  eval::SummaryFacts facts;
  std::istringstream names(identity.at("attacks"));
  for (std::string name; std::getline(names, name, ',');) facts.attacks.push_back(name);
  facts.combine = detail::parse_value<eval::Combine>(identity.at("combine"));
  facts.norm = detail::parse_value<attacks::Norm>(
      record.value("/options/attack/norm"_json_pointer, std::string("linf")));
  facts.class_names = record.value("/data/classes"_json_pointer, std::vector<std::string>());
  for (auto label = std::ssize(facts.class_names);
       label < record.value("/model/num_classes"_json_pointer, std::int64_t{0}); ++label)
    facts.class_names.push_back(std::to_string(label));
  facts.confidence = record.value("/options/confidence"_json_pointer, 0.95);
  return facts;
}

/// The record of a shard's run as that of the whole.
json merged_record(const json& shard, const std::vector<std::string>& runs) {
  json record = shard;
  for (const auto* key : {"result", "argv", "error", "started", "ended", "seconds"})
    record.erase(key);
  record["options"]["shard"] = "";
  record["merged"] = runs;
  return record;
}

void add_merge(CLI::App& app) {
  struct State {
    std::vector<std::string> runs;
    Output output;
  };
  auto state = std::make_shared<State>();
  auto* sub =
      app.add_subcommand("merge", "one run folder from those of all shards of an evaluation");
  sub->allow_extras();
  sub->add_option("RUN", state->runs, "run folders of the shards")->required();
  add_output_flags(*sub, state->output);
  sub->callback([state, sub] {
    refuse_extras(*sub);
    std::vector<std::filesystem::path> ledgers;
    for (const auto& run : state->runs) ledgers.push_back(ledger_file(run));
    const auto shard = run::RunFolder::open(state->runs.front()).read_record();
    const auto folder = run::RunFolder::create(
        state->output.out, "evaluate", state->output.name.empty() ? "merged" : state->output.name);
    const auto ledger = eval::merge_ledgers(ledgers, folder / "ledger.sqlite");
    auto result = eval::summarise(ledger, facts_of(ledger.identity(), shard));
    result["suite"] = ledger.identity().at("suite");
    result["self_test"] = shard.value("/result/self_test"_json_pointer, json::object());
    auto record = merged_record(shard, state->runs);
    record["status"] = "done";
    record["exit_code"] = 0;
    record["result"] = result;
    folder.update_record(record);
    if (state->output.as_json) {
      result["run"] = folder.path().string();
      std::puts(result.dump(2).c_str());
    } else {
      std::fputs(evaluation_summary(result, folder).c_str(), stdout);
    }
  });
}

}  // namespace

void add_ledger(CLI::App& app) {
  auto* sub = app.add_subcommand("ledger", "compare or merge the ledgers of evaluations");
  sub->require_subcommand(1);
  add_diff(*sub);
  add_merge(*sub);
}

}  // namespace namid::app
