// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "namid/engine/cpu_features.h"

namespace namid::attacks {

// The inner loops of transport.h on the CPU, 32 rows of a plan at a time, one to a lane. Free of
// torch. What a row gives does not depend on its neighbours, and no two operations are contracted,
// so that every instruction set gives equal bits.

constexpr int kLanes = 32;

/// Rows of K² moves in blocks of 32: move k of row r of block b at [(b K² + k) 32 + r]. Rows that
/// fill up the last block are 0 everywhere.
struct RowBlocks {
  const float* values = nullptr;
  const float* totals = nullptr;  ///< of row r of block b at [32 b + r]
  const float* costs = nullptr;   ///< blocks like those of `values`
  std::int64_t blocks = 0;
  std::int64_t moves = 0;  ///< K²
};

/// A multiplier λ of the costs; gamma 0: rows are the simplex projections of values − λ costs, else
/// totals · softmax((values − λ costs) / gamma), where nothing goes to moves that cost kOutside.
struct Trial {
  float lambda = 0;
  float gamma = 0;
};

/// The cost of the rows, summed in float64. The rows themselves go to `rows`, blocks like `values`,
/// unless that is null. scratch: 32 K² floats.
double rows_at(const RowBlocks& blocks, const Trial& trial, float* rows, float* scratch,
               engine::InstructionSet instructions);

/// Σ a_i b_i of products rounded to float32, summed in float64.
double sum_of_products(const float* a, const float* b, std::int64_t count);

}  // namespace namid::attacks
