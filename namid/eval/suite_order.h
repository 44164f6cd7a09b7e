// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "namid/eval/ledger.h"

namespace namid::eval {

/// The attacks that a ledger has rows of, in the order of its suite; those decided on later, and
/// all of a ledger that does not say its suite, behind them in the order of their names.
std::vector<std::string> suite_order(const Ledger& ledger);

}  // namespace namid::eval
