// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "namid/eval/ledger.h"
#include "namid/eval/verifier.h"

namespace namid::eval {

/// Whether the two most frequent classes are told apart by a two-sided binomial test at p ≤ 0.001
/// (Cohen et al. 2019, cohen2019, Algorithm PREDICT).
bool told_apart(std::int64_t most, std::int64_t next);

/// `first`: the reading that made the verdict; `further`: that of as many draws afterwards, at the
/// same image. voted: its most frequent class is `label`, and its two most frequent classes are
/// told apart.
Drawn drawn_of(const Reading& first, const Reading& further, std::int64_t label);

/// Accuracies of a model that draws random numbers. Of each sample the image that counts is the
/// one, of the natural image and those of all attacks, on which the model was right least often in
/// the draws that made its verdict (of equal ones the earliest); it is judged by the draws made
/// afterwards, so that the choice among many does not count against the model. Samples that are
/// wrong at x by majority are not attacked: their natural image counts.
class DrawnVerdicts {
 public:
  explicit DrawnVerdicts(const std::vector<SampleRow>& samples);
  void add(const std::vector<AttemptRow>& attempts);  ///< of one attack

  /// Whether every sample has draws: a ledger of an earlier version has none.
  bool complete() const { return complete_; }
  /// {"draws", "natural": F, "robust": F (where attacked)} with F =
  ///   "expected"        mean of p̂ = right / draws: a model that answers by one draw
  ///   "standard_error"  √(var(p̂) / n), which has the noise of the draws in it
  ///   "voted"           a model that answers by many draws and abstains, which counts as wrong,
  ///                     where these do not tell the two most frequent classes apart
  ///   "always", "ever"  share of samples right in every draw, and in any
  nlohmann::json to_json(std::int64_t draws, bool attacked) const;

 private:
  bool complete_;
  std::map<std::uint64_t, Drawn> natural_, worst_;
};

}  // namespace namid::eval
