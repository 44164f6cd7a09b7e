// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "namid/eval/ledger.h"

namespace namid::eval {

/// A sample on whose fate two ledgers differ: "misclassified", "broken by <attack>" or "robust".
struct Discordance {
  std::uint64_t sample = 0;
  std::string a, b;
};

/// Two ledgers compared row by row, timings aside.
struct LedgerDiff {
  std::vector<std::string> identity;     ///< "seed: '0' against '1'"
  std::vector<std::string> environment;  ///< the same of the environments, for information
  std::int64_t samples_only_a = 0, samples_only_b = 0, samples_differ = 0;
  std::int64_t attempts_only_a = 0, attempts_only_b = 0, attempts_differ = 0;
  std::vector<std::string> columns;     ///< of attempts, in which rows differ
  std::vector<Discordance> discordant;  ///< among the samples of both
  std::int64_t images_differ = 0;
  std::int64_t certificates_differ = 0;  ///< among both, or in one alone

  /// No difference but in the environment.
  bool empty() const;
};

LedgerDiff diff(const Ledger& a, const Ledger& b);

nlohmann::json to_json(const LedgerDiff& diff);
/// For a reader; at most `rows` discordant samples are listed.
std::string to_text(const LedgerDiff& diff, std::size_t rows);

}  // namespace namid::eval
