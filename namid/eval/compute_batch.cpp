// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/compute_batch.h"

#include <algorithm>

namespace namid::eval {

std::vector<Rows> split_rows(Rows rows, std::int64_t size) {
  std::vector<Rows> pieces;
  while (!rows.empty()) {
    const auto count = std::min(rows.size(), static_cast<std::size_t>(size));
    pieces.push_back(rows.first(count));
    rows = rows.subspan(count);
  }
  return pieces;
}

data::Batch padded_batch(const data::Dataset& dataset, Rows rows, std::int64_t size,
                         const at::Device& device) {
  std::vector<std::int64_t> padded(static_cast<std::size_t>(size), rows.front());
  std::copy(rows.begin(), rows.end(), padded.begin());
  return data::make_batch(dataset, padded, device);
}

}  // namespace namid::eval
