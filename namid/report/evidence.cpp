// SPDX-License-Identifier: Apache-2.0
#include "namid/report/evidence.h"

#include <algorithm>
#include <unordered_map>

#include "namid/core/format.h"

namespace namid::report {
namespace {

double norm_of(const eval::AttemptRow& attempt, const std::string& norm) {
  if (norm == "l2") return attempt.l2;
  if (norm == "l1") return attempt.l1;
  if (norm == "wasserstein") return attempt.wasserstein.value_or(0);
  return attempt.linf;
}

AttackEvidence evidence_of(const std::string& name, const std::string& norm,
                           const std::vector<eval::AttemptRow>& attempts) {
  AttackEvidence attack{.name = name, .attacked = {}, .broken = {}, .norms = {}};
  std::unordered_map<std::uint64_t, double> smallest;
  for (const auto& attempt : attempts) {
    attack.attacked.insert(attempt.sample);
    if (!attempt.success) continue;
    attack.broken.insert(attempt.sample);
    const double length = norm_of(attempt, norm);
    const auto [held, is_new] = smallest.emplace(attempt.sample, length);
    if (!is_new) held->second = std::min(held->second, length);
  }
  for (const auto& [sample, length] : smallest) attack.norms.push_back(length);
  std::sort(attack.norms.begin(), attack.norms.end());
  return attack;
}

/// The ledger's attacks in the order in which the result lists them; others behind.
std::vector<std::string> names_in_order(const RunData& run, const eval::Ledger& ledger) {
  const auto held = ledger.attacks();
  std::vector<std::string> names;
  for (int i = 0; find_member(run.record, str("result/attacks/", i)); ++i) {
    const auto name = text_at(run.record, str("result/attacks/", i, "/name"));
    if (std::find(held.begin(), held.end(), name) != held.end()) names.push_back(name);
  }
  for (const auto& name : held)
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  return names;
}

}  // namespace

std::optional<Evidence> read_evidence(const RunData& run) {
  const auto path = run.path / "ledger.sqlite";
  if (!std::filesystem::exists(path)) return std::nullopt;
  const auto ledger = eval::Ledger::open(path);
  Evidence evidence{
      .norm = option_of(run, "attack/norm"), .samples = ledger.samples(), .attacks = {}};
  for (const auto& name : names_in_order(run, ledger))
    evidence.attacks.push_back(evidence_of(name, evidence.norm, ledger.attempts(name)));
  return evidence;
}

std::vector<Share> shares_of(const std::vector<AttackEvidence>& attacks) {
  std::unordered_map<std::uint64_t, std::int64_t> times;
  for (const auto& attack : attacks)
    for (const auto sample : attack.broken) ++times[sample];
  std::unordered_set<std::uint64_t> before;
  std::vector<Share> shares;
  for (const auto& attack : attacks) {
    Share share{.broken = std::ssize(attack.broken)};
    for (const auto sample : attack.broken) {
      share.first += before.insert(sample).second;
      share.only += times.at(sample) == 1;
    }
    shares.push_back(share);
  }
  return shares;
}

std::int64_t both_broke(const AttackEvidence& one, const AttackEvidence& other) {
  return std::count_if(one.broken.begin(), one.broken.end(),
                       [&](std::uint64_t sample) { return other.broken.contains(sample); });
}

}  // namespace namid::report
