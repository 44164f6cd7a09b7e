// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "namid/core/tensor_random.h"

namespace namid::eval {

/// One of `count` parts of a data set, index from 1.
struct Shard {
  std::int64_t index = 1, count = 1;
};

/// "2/3"; empty: the whole. OptionError unless 1 ≤ i ≤ n.
Shard parse_shard(const std::string& text);

/// The rows of the shard, in the order of `rows`: of the ids sorted, every count-th.
std::vector<std::int64_t> rows_of(const Shard& shard, const SampleIds& ids,
                                  const std::vector<std::int64_t>& rows);

}  // namespace namid::eval
