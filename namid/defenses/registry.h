// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "namid/defenses/namid.h"
#include "namid/defenses/objective.h"

namespace namid::defenses {

enum class Defense { natural, standard, namid };

/// Row of `namid list defenses`.
struct DefenseInfo {
  Defense defense;
  std::string name, description;
  std::string paper;  ///< key in docs/papers.bib; empty: none
  bool needs_estimators;
};
std::vector<DefenseInfo> list_defenses();

/// Binds options and estimators (needed by namid only, on the model's device; a deep copy is taken
/// and frozen) to an objective. OptionError if the estimators are missing.
Objective make_objective(Defense defense, const PgdOptions& attack, const NamidOptions& options,
                         std::int64_t full_batch,
                         const std::optional<mi::EstimatorPair>& estimators);

}  // namespace namid::defenses

namespace namid {
template <>
struct EnumNames<defenses::Defense> {
  static constexpr std::array kNames{"natural", "standard", "namid"};
};
}  // namespace namid
