// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace namid::attacks {

/// What an objective gives at N points (N, D), all float64: values (N), gradients (N, D) of each
/// row's own value.
struct RowValues {
  at::Tensor value, gradient;
};
using RowObjective = std::function<RowValues(const at::Tensor& rows)>;

struct LbfgsOptions {
  int steps = 100;          ///< at most
  int memory = 10;          ///< pairs of steps and gradient differences kept
  int trials = 20;          ///< evaluations of each line search at most
  double tolerance = 1e-5;  ///< a row of no larger gradient entry is done
};

/// Limited-memory BFGS (Liu & Nocedal 1989, liu1989) on N problems at once, each row (N, D) with
/// step lengths, memory and end of its own: no row's path hangs on its neighbours. The line search
/// bisects to the weak Wolfe conditions (1e-4, 0.9), which can be met at kinks too (Lewis & Overton
/// 2013, lewis2013, Alg. 2.6). A row whose search finds no lower point forgets its memory, and is
/// done at the second time running. Every evaluation has all rows; rows that are done stay where
/// they are. Returns the last points, none higher than its start.
at::Tensor minimise_rows(const RowObjective& objective, const at::Tensor& start,
                         const LbfgsOptions& options = {});

}  // namespace namid::attacks
