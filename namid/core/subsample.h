// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "namid/core/statistics.h"

namespace namid {

/// P[X ≤ x], X the number of marked ones among m drawn without replacement from M of which K are
/// marked (hypergeometric), summed in logarithms. Expects 0 ≤ K, m ≤ M.
double hypergeometric_cdf(std::int64_t x, std::int64_t M, std::int64_t K, std::int64_t m);

/// How many of a finite set are marked.
struct MarkedCount {
  std::int64_t low = 0, high = 0;
};

/// Exact confidence interval for the number K of marked ones among M, k of which were seen marked
/// among m drawn without replacement: low is the smallest K with P[X ≥ k] > α/2, high the largest
/// with P[X ≤ k] > α/2, α = 1 − confidence. Everything drawn (m = M) gives K = k; k = 0 does not
/// give K = 0. OptionError unless 0 ≤ k ≤ m ≤ M, m ≥ 1 (unless M = 0) and confidence in (0, 1).
///
/// Covers the drawing alone, for an m fixed before k was looked at. The test images have a sampling
/// error of their own (clopper_pearson).
MarkedCount marked_count(std::int64_t M, std::int64_t m, std::int64_t k, double confidence = 0.95);

/// Of n images, `survivors` that the cheap stages did not break, `drawn` of them attacked by the
/// expensive stages, which broke `broken`: what that says of the accuracy the full protocol gives.
struct SampledAccuracy {
  double bound = 1;     ///< (survivors − broken) / n: no full protocol is above it
  double estimate = 1;  ///< survivors (1 − broken / drawn) / n
  Interval interval;    ///< from marked_count
};
SampledAccuracy sampled_accuracy(std::int64_t n, std::int64_t survivors, std::int64_t drawn,
                                 std::int64_t broken, double confidence = 0.95);

}  // namespace namid
