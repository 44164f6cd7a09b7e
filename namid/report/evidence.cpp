// SPDX-License-Identifier: Apache-2.0
#include "namid/report/evidence.h"

#include <algorithm>
#include <unordered_map>

#include "namid/eval/attempt_norm.h"
#include "namid/eval/suite_order.h"

namespace namid::report {
namespace {

/// The budget's norm; linf where the record has none that is known.
attacks::Norm recorded_norm(const RunData& run) {
  const auto& names = EnumNames<attacks::Norm>::kNames;
  const auto found = std::find(names.begin(), names.end(), option_of(run, "attack/norm"));
  return found == names.end() ? attacks::Norm::linf
                              : static_cast<attacks::Norm>(found - names.begin());
}

AttackEvidence evidence_of(const std::string& name, attacks::Norm norm,
                           const std::vector<eval::AttemptRow>& attempts) {
  AttackEvidence attack{.name = name, .attacked = {}, .broken = {}, .norms = {}};
  std::unordered_map<std::uint64_t, double> smallest;
  for (const auto& attempt : attempts) {
    attack.attacked.insert(attempt.sample);
    if (!attempt.success) continue;
    attack.broken.insert(attempt.sample);
    const double length = eval::norm_of(attempt, norm);
    const auto [held, is_new] = smallest.emplace(attempt.sample, length);
    if (!is_new) held->second = std::min(held->second, length);
  }
  for (const auto& [sample, length] : smallest) attack.norms.push_back(length);
  std::sort(attack.norms.begin(), attack.norms.end());
  return attack;
}

}  // namespace

std::optional<Evidence> read_evidence(const RunData& run) {
  const auto path = run.path / "ledger.sqlite";
  if (!std::filesystem::exists(path)) return std::nullopt;
  const auto ledger = eval::Ledger::open(path);
  const auto norm = recorded_norm(run);
  Evidence evidence{
      .norm = std::string(to_string(norm)), .samples = ledger.samples(), .attacks = {}};
  for (const auto& name : eval::suite_order(ledger))
    evidence.attacks.push_back(evidence_of(name, norm, ledger.attempts(name)));
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
