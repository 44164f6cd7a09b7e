// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/verdicts.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/run/run_folder.h"

namespace namid::eval {
namespace {

using nlohmann::json;

std::string word_at(const json& record, const std::string& path) {
  const auto member = member_at(record, path);
  return member.is_string() ? member.get<std::string>() : "";
}

std::optional<std::int64_t> count_at(const json& record, const std::string& path) {
  const auto member = member_at(record, path);
  if (!member.is_number_integer()) return {};
  return member.get<std::int64_t>();
}

void check_record(const std::string& name, const json& record) {
  if (!record.is_object()) throw DataError(str(name, ": run.json: expected an object"));
  const auto command = word_at(record, "/command");
  if (command != "evaluate")
    throw DataError(str(name, ": expected the run of namid evaluate, got one of '", command, "'"));
  const auto status = word_at(record, "/status");
  if (status != "done")
    throw DataError(str(name, ": expected a run that is done, got status '", status,
                        "'; go on with: namid resume ", name));
  if (const auto shard = word_at(record, "/options/shard"); !shard.empty())
    throw DataError(str(name, ": is shard ", shard,
                        " alone; join all shards with: namid ledger "
                        "merge"));
  if (!member_at(record, "/result/sampled").is_null())
    throw DataError(str(name,
                        ": its last attacks ran on a sample of the images (--sample-stage), which "
                        "leaves the robust accuracy open; expected a run without"));
}

void check_attacks(const std::string& name, const json& record) {
  const auto rows = member_at(record, "/result/attacks");
  if (!rows.is_array()) throw DataError(str(name, ": run.json: result/attacks: expected a list"));
  for (const auto& row : rows)
    if (row.is_object() && row.contains("error"))
      throw DataError(str(name, ": attack ", word_at(row, "/name"),
                          " failed, its images count as not broken; expected a run in which every "
                          "attack ended"));
}

void check_count(const FinishedRun& run, const std::string& path, std::int64_t held) {
  const auto told = count_at(run.record, path);
  if (!told || *told != held)
    throw DataError(str(run.name, ": run.json and ledger.sqlite do not agree: ", path, " is ",
                        told ? str(*told) : "not there", ", the ledger has ", held));
}

std::int64_t count_right(const std::vector<std::uint8_t>& verdicts) {
  return std::count_if(verdicts.begin(), verdicts.end(), [](auto v) { return v != 0; });
}

std::string identity_entry(const FinishedRun& run, const std::string& key) {
  const auto found = run.identity.find(key);
  return found == run.identity.end() ? std::string() : found->second;
}

std::string names_of(const FinishedRun& first, const FinishedRun& second) {
  return str(first.name, " and ", second.name);
}

/// Of runs that stopped early, the shorter must be a beginning of the other: one random order.
void check_order(const FinishedRun& first, const FinishedRun& second, std::int64_t common) {
  const auto shorter = std::min(std::ssize(first.verdicts.ids), std::ssize(second.verdicts.ids));
  const auto longer = std::max(std::ssize(first.verdicts.ids), std::ssize(second.verdicts.ids));
  const bool whole = !first.population || !second.population || longer == *first.population;
  const bool one_order = identity_entry(first, "seed") == identity_entry(second, "seed");
  if (common == shorter && (whole || one_order)) return;
  throw DataError(str(names_of(first, second), ": both stopped early, in different orders (seeds ",
                      identity_entry(first, "seed"), " and ", identity_entry(second, "seed"),
                      "): their common images are no random sample; evaluate again with one seed, "
                      "or one of them to the end"));
}

}  // namespace

json member_at(const json& record, const std::string& path) {
  const json::json_pointer pointer(path);
  return record.contains(pointer) ? record[pointer] : json();
}

Verdicts verdicts_of(const Ledger& ledger) {
  std::unordered_set<std::uint64_t> broken;
  for (const auto& attack : ledger.attacks())
    for (const auto& attempt : ledger.attempts(attack))
      if (attempt.success) broken.insert(attempt.sample);
  Verdicts verdicts;
  for (const auto& sample : ledger.samples()) {
    verdicts.ids.push_back(sample.sample);
    verdicts.natural.push_back(sample.correct);
    verdicts.robust.push_back(sample.correct && !broken.contains(sample.sample));
  }
  return verdicts;
}

FinishedRun read_finished(const std::filesystem::path& path) {
  FinishedRun run{.name = path.string(),
                  .record = run::RunFolder::open(path).read_record(),
                  .identity = {},
                  .verdicts = {},
                  .population = {}};
  check_record(run.name, run.record);
  check_attacks(run.name, run.record);
  const auto file = path / "ledger.sqlite";
  if (!std::filesystem::exists(file))
    throw DataError(str(run.name,
                        ": has no ledger.sqlite; expected the folder of an evaluation "
                        "with its ledger"));
  const auto ledger = Ledger::open(file);
  run.identity = ledger.identity();
  for (const auto* key : {"data", "ids", "seed"})
    if (!run.identity.contains(key))
      throw DataError(str(file.string(), ": the ledger does not say its '", key, "'"));
  run.verdicts = verdicts_of(ledger);
  if (run.verdicts.ids.empty())
    throw DataError(str(file.string(), ": the ledger is empty; expected at least one sample"));
  const auto n = std::ssize(run.verdicts.ids);
  check_count(run, "/result/n", n);
  check_count(run, "/result/natural/correct", count_right(run.verdicts.natural));
  check_count(run, "/result/robust/correct", count_right(run.verdicts.robust));
  if (member_at(run.record, "/result/decision").is_null()) return run;
  check_count(run, "/result/decision/drawn", n);
  run.population = count_at(run.record, "/result/decision/population");
  if (!run.population || *run.population < n)
    throw DataError(str(run.name, ": run.json: result/decision/population: expected at least ", n));
  return run;
}

std::string attack_difference(const FinishedRun& first, const FinishedRun& second) {
  const auto differs = [](const std::string& key, const std::string& a, const std::string& b) {
    return a == b ? std::string() : str(key, ": '", a, "' against '", b, "'");
  };
  std::vector<std::string> keys{"suite", "combine", "attacks", "surrogate", "verdict_draws"};
  for (const auto* run : {&first, &second})
    for (const auto& [key, value] : run->identity)
      if (key.starts_with("attack ")) keys.push_back(key);
  for (const auto& key : keys)
    if (auto text = differs(key, identity_entry(first, key), identity_entry(second, key));
        !text.empty())
      return text;
  for (const auto* key : {"norm", "epsilon"}) {
    const auto path = str("/options/attack/", key);
    const auto a = member_at(first.record, path), b = member_at(second.record, path);
    if (auto text = differs(key, a.dump(), b.dump()); !text.empty()) return text;
  }
  return "";
}

CommonVerdicts common_verdicts(const FinishedRun& first, const FinishedRun& second) {
  for (const auto* key : {"data", "ids"})
    if (identity_entry(first, key) != identity_entry(second, key))
      throw DataError(str(names_of(first, second), ": expected the same images of the same data; '",
                          key, "' in the ledgers: '", identity_entry(first, key), "' against '",
                          identity_entry(second, key), "'"));
  std::unordered_map<std::uint64_t, std::size_t> places;
  for (std::size_t i = 0; i < second.verdicts.ids.size(); ++i) places[second.verdicts.ids[i]] = i;
  Verdicts a, b;
  for (std::size_t i = 0; i < first.verdicts.ids.size(); ++i) {
    const auto place = places.find(first.verdicts.ids[i]);
    if (place == places.end()) continue;
    a.natural.push_back(first.verdicts.natural[i]);
    a.robust.push_back(first.verdicts.robust[i]);
    b.natural.push_back(second.verdicts.natural[place->second]);
    b.robust.push_back(second.verdicts.robust[place->second]);
  }
  if (a.natural.empty())
    throw DataError(str(names_of(first, second), ": have no sample in common"));
  CommonVerdicts common{.natural = paired_counts(a.natural, b.natural),
                        .robust = paired_counts(a.robust, b.robust),
                        .population = first.population ? first.population : second.population};
  if (common.population) check_order(first, second, common.natural.images);
  return common;
}

}  // namespace namid::eval
