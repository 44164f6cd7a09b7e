// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "namid/eval/evaluation.h"
#include "namid/eval/ledger.h"

namespace namid::eval {

/// What a result is computed from besides the ledger's rows.
struct SummaryFacts {
  std::vector<std::string> attacks;  ///< in their order
  std::vector<std::string> errors;   ///< one per attack, empty where it finished; empty: all did
  Combine combine = Combine::each;
  attacks::Norm norm = attacks::Norm::linf;
  std::vector<std::string> class_names;  ///< of labels 0, 1, ...
  double confidence = 0.95;
};

/// The "result" of the run record (evaluate.h) from the ledger's rows alone.
nlohmann::json summarise(const Ledger& ledger, const SummaryFacts& facts);

/// The same of an evaluation just made.
nlohmann::json summarise(const Ledger& ledger, const Evaluation& job, const Suite& suite,
                         const std::vector<std::string>& errors);

}  // namespace namid::eval
