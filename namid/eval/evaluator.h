// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "namid/eval/discarding.h"
#include "namid/eval/evaluation.h"
#include "namid/eval/ledger.h"
#include "namid/eval/runner.h"
#include "namid/eval/sampled.h"

namespace namid::eval {

/// Runs the stages of a suite on rows of a data set and keeps what they find in the ledger; what
/// the ledger holds already is not computed again. All arguments must outlive the object.
class Evaluator {
 public:
  Evaluator(const Evaluation& job, const Suite& suite, const Bench& bench, Ledger& ledger);

  /// Natural predictions and every stage of the suite's attacks, from the given one on, on these
  /// rows; attacks may have been added to the suite since the last call.
  void evaluate(Rows rows, std::size_t first = 0);

  bool natural(std::int64_t row) const { return correct_.at(id(row)); }
  bool robust(std::int64_t row) const { return natural(row) && !broken(id(row)); }
  /// The "sampled" of the result for all rows; null without sampled stages.
  nlohmann::json sampled(Rows rows) const;
  /// One per attack: the NumericError that ended it, or empty.
  std::vector<std::string> errors() const;

 private:
  using Ids = std::unordered_set<std::uint64_t>;

  /// What is known of an attack so far.
  struct Standing {
    std::set<std::pair<std::int64_t, std::uint64_t>> held;  ///< (round, sample) in the ledger
    Ids tried;                                              ///< samples with any row
    Ids broken;
    std::unordered_map<std::uint64_t, double> nearest;  ///< smallest norm that broke a sample
    std::string error;
  };

  void take_up(std::size_t i);
  void note(std::size_t i, const AttemptRow& attempt);
  double nearest_before(std::size_t attack, std::uint64_t sample) const;
  std::uint64_t id(std::int64_t row) const;
  bool broken(std::uint64_t sample) const { return broken_before(standings_.size(), sample); }
  bool broken_before(std::size_t attack, std::uint64_t sample) const;
  std::vector<std::uint64_t> left_to_sampled(Rows rows) const;
  std::vector<std::int64_t> survivors(std::size_t i, Rows rows) const;
  /// What the ledger has of the samples up to a round of an attack.
  struct Seen {
    LowestMargins margins;
    Ids broken, refuted;
  };
  Seen seen_before(std::size_t i, int round) const;
  std::vector<std::int64_t> not_discarded(std::size_t i, int round, Rows rows) const;
  std::vector<std::int64_t> near_boundary(std::size_t i, Rows rows) const;
  std::vector<std::int64_t> wanted(std::size_t i, std::optional<int> round, Rows rows) const;
  AttackEntry taught(std::size_t i) const;

  template <class Held, class Compute>
  void for_each_batch(const std::string& stage, const std::vector<std::int64_t>& wanted,
                      std::int64_t size, const Held& held, const Compute& compute);
  void predict_natural(Rows rows);
  void run_attack(std::size_t i, Rows rows);
  void run_stage(std::size_t i, const AttackEntry& attack, Rows rows, std::optional<int> round,
                 const std::string& name);
  void store(const std::string& attack, const Attacked& attacked);

  const Evaluation& job_;
  const Suite& suite_;
  const Bench& bench_;
  Ledger& ledger_;
  SampledStages sampled_;
  std::unordered_map<std::uint64_t, bool> correct_;
  std::vector<Standing> standings_;
};

}  // namespace namid::eval
