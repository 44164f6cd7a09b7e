// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "namid/eval/ledger.h"
#include "namid/report/run_data.h"

namespace namid::report {

/// What the ledger says of one attack, all its rounds together.
struct AttackEvidence {
  std::string name;
  std::unordered_set<std::uint64_t> attacked, broken;  ///< sample ids
  std::vector<double> norms;  ///< of each broken sample the smallest verified one, ascending
};

/// What an evaluation's ledger says of samples and attacks.
struct Evidence {
  std::string norm;  ///< that of the budget: "linf", ...
  std::vector<eval::SampleRow> samples;
  std::vector<AttackEvidence> attacks;  ///< in the order of the suite
};

/// Reads `ledger.sqlite` of an evaluation; nothing if the run has none. DataError for a damaged
/// one.
std::optional<Evidence> read_evidence(const RunData& run);

/// How often an attack was needed.
struct Share {
  std::int64_t broken = 0;  ///< samples it broke
  std::int64_t first = 0;   ///< that no attack before it in the suite broke
  std::int64_t only = 0;    ///< that no other attack broke
};
/// One per attack, in their order.
std::vector<Share> shares_of(const std::vector<AttackEvidence>& attacks);

/// How many samples both attacks broke.
std::int64_t both_broke(const AttackEvidence& one, const AttackEvidence& other);

}  // namespace namid::report
