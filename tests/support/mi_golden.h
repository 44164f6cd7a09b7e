// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdio>

#include "namid/core/format.h"
#include "namid/mi/scores.h"
#include "support/waves.h"

namespace namid::testing {

/// The features behind the reference code's golden scores: N = 4, U = 3, K = 5, indices from 1.
struct MiGolden {
  at::Tensor local = at::empty({4, 3, 5}, at::kDouble);
  at::Tensor global = at::empty({4, 3}, at::kDouble);
  MiGolden() {
    for (int i = 0; i < 4; ++i)
      for (int u = 0; u < 3; ++u) {
        global[i][u] = std::cos(0.5 * (i + 1) - 0.2 * (u + 1));
        for (int k = 0; k < 5; ++k)
          local[i][u][k] = std::sin(0.7 * (i + 1) + 0.3 * (u + 1) + 0.11 * (k + 1));
      }
  }
  at::Tensor scores() const { return mi::score_tensor(global, local); }
};

/// Puts the largest deviation from golden values into the test's record and on its output.
inline void report_deviation(double largest) {
  ::testing::Test::RecordProperty("deviation", str(largest));
  std::printf("largest deviation %s\n", str(largest).c_str());
}

/// u[i][j][k] of a float64 tensor, for implementations in plain loops.
inline double at3(const at::Tensor& t, std::int64_t i, std::int64_t j, std::int64_t k) {
  return t.accessor<double, 3>()[i][j][k];
}

}  // namespace namid::testing
