// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "namid/eval/evaluation.h"
#include "namid/eval/ledger.h"

namespace namid::eval {

/// The "result" of the run record (evaluate.h) from the ledger's rows. `errors` has one entry per
/// attack, empty where it finished. Classes without samples have no row in "per_class"; "class" is
/// the class's name.
nlohmann::json summarise(const Ledger& ledger, const Evaluation& job,
                         std::span<const AttackEntry> attacks,
                         const std::vector<std::string>& errors);

}  // namespace namid::eval
