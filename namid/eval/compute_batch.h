// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "namid/data/dataset.h"

namespace namid::eval {

/// Rows of a data set that are computed together.
using Rows = std::span<const std::int64_t>;

/// `rows` in pieces of `size`, in order; the last may be shorter.
std::vector<Rows> split_rows(Rows rows, std::int64_t size);

/// All rows in order of their ids.
std::vector<std::int64_t> rows_by_id(const data::Dataset& dataset);

/// The batch of `rows` (at least one, at most `size`), padded to `size` with copies of the first:
/// kernels choose their order of summation by shape, so every batch has the same one. Results of
/// the padding are to be dropped.
data::Batch padded_batch(const data::Dataset& dataset, Rows rows, std::int64_t size,
                         const at::Device& device);

}  // namespace namid::eval
