// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace namid {

struct Interval {
  double low = 0, high = 1;
};

/// Exact two-sided confidence interval of a proportion, Clopper & Pearson 1934, through quantiles
/// of the beta distribution: low = B⁻¹(α/2; k, n-k+1), high = B⁻¹(1-α/2; k+1, n-k), α = 1 -
/// confidence. Accurate to 1e-10. n = 0 gives [0, 1]. Throws OptionError unless 0 ≤ k ≤ n and
/// confidence in (0,1).
Interval clopper_pearson(std::int64_t successes, std::int64_t n, double confidence = 0.95);

/// Regularised incomplete beta function I_x(a, b), a and b > 0, by its continued fraction (DLMF
/// 8.17.22).
double incomplete_beta(double x, double a, double b);

}  // namespace namid
