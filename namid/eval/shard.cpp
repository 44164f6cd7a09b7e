// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/shard.h"

#include <algorithm>
#include <charconv>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::eval {

Shard parse_shard(const std::string& text) {
  if (text.empty()) return {};
  Shard shard;
  const auto* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, shard.index);
  auto rest = first;
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == '/')
    rest = std::from_chars(first.ptr + 1, end, shard.count);
  if (rest.ptr == first.ptr || rest.ec != std::errc() || rest.ptr != end || shard.index < 1 ||
      shard.index > shard.count)
    throw OptionError(str("[evaluate] shard: expected i/n with 1 ≤ i ≤ n, got '", text, "'"));
  return shard;
}

std::vector<std::int64_t> rows_of(const Shard& shard, const SampleIds& ids,
                                  const std::vector<std::int64_t>& rows) {
  auto sorted = ids;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::int64_t> part;
  for (const auto row : rows) {
    const auto id = ids[static_cast<std::size_t>(row)];
    const auto rank = std::lower_bound(sorted.begin(), sorted.end(), id) - sorted.begin();
    if (rank % shard.count == shard.index - 1) part.push_back(row);
  }
  return part;
}

}  // namespace namid::eval
