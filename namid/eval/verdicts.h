// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "namid/core/paired_tests.h"
#include "namid/eval/ledger.h"

namespace namid::eval {

/// Which samples a model got right, in the order of the stored ids; nonzero: right. robust: right,
/// and broken by no attack.
struct Verdicts {
  std::vector<std::uint64_t> ids;
  std::vector<std::uint8_t> natural, robust;
};
Verdicts verdicts_of(const Ledger& ledger);

/// A finished evaluation as its run folder tells it.
struct FinishedRun {
  std::string name;  ///< the folder as it was given
  nlohmann::json record;
  Ledger::Identity identity;
  Verdicts verdicts;
  /// Images of the data set, where a stopping rule chose how many of them were evaluated, in random
  /// order; none where the number was fixed beforehand.
  std::optional<std::int64_t> population;
};

/// Reads run.json and ledger.sqlite of an evaluation. DataError, saying what to do, for a folder
/// without a record or ledger, another command's run, one that is not done, a shard, an empty
/// ledger, an attack that failed, sampled stages (which leave the robust accuracy open), or a
/// record that does not agree with the ledger.
FinishedRun read_finished(const std::filesystem::path& run);

/// The record's member at a path such as "/result/n"; null if it is not there.
nlohmann::json member_at(const nlohmann::json& record, const std::string& path);

/// Verdicts of two runs on the samples of both.
struct CommonVerdicts {
  PairedCounts natural, robust;
  /// Of the data set, where a stopping rule chose the samples; then the pairs are a random sample
  /// without replacement, and the confidence sequence of paired differences holds for them.
  std::optional<std::int64_t> population;
};

/// DataError that names both runs: other data or another part of them, no common sample, or two
/// runs stopped early in different orders, of which the common samples are no random sample.
CommonVerdicts common_verdicts(const FinishedRun& first, const FinishedRun& second);

/// What differs first in how the two were attacked: suite, an attack's options, norm, epsilon, a
/// surrogate. Empty where robust accuracies mean the same.
std::string attack_difference(const FinishedRun& first, const FinishedRun& second);

}  // namespace namid::eval
