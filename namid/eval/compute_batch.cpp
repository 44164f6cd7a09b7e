// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/compute_batch.h"

#include <algorithm>
#include <numeric>

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

std::vector<std::int64_t> rows_by_id(const data::Dataset& dataset) {
  std::vector<std::int64_t> rows(dataset.ids.size());
  std::iota(rows.begin(), rows.end(), 0);
  std::sort(rows.begin(), rows.end(), [&](auto a, auto b) {
    return dataset.ids[static_cast<std::size_t>(a)] < dataset.ids[static_cast<std::size_t>(b)];
  });
  return rows;
}

data::Batch padded_batch(const data::Dataset& dataset, Rows rows, std::int64_t size,
                         const at::Device& device) {
  std::vector<std::int64_t> padded(static_cast<std::size_t>(size), rows.front());
  std::copy(rows.begin(), rows.end(), padded.begin());
  return data::make_batch(dataset, padded, device);
}

}  // namespace namid::eval
