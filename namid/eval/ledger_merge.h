// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <vector>

#include "namid/eval/ledger.h"

namespace namid::eval {

/// Joins the finished ledgers of all shards of one evaluation into `target`, which then equals,
/// byte for byte, the ledger of the whole evaluated at once on the same machine. DataError for
/// ledgers of different evaluations (naming what differs), a shard that is missing or given twice,
/// or a ledger that is no shard; OptionError if `target` exists or no ledger is given.
Ledger merge_ledgers(const std::vector<std::filesystem::path>& shards,
                     const std::filesystem::path& target);

}  // namespace namid::eval
