// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace namid {

// The distribution functions that statistics.h, paired_tests.h, bootstrap.h and power.h are made
// of. They take arguments in range (each says which) and do not check them. Errors are below 1e-9
// for arguments up to 1e5; lower tails keep their relative precision.

/// Regularised incomplete beta function I_x(a, b), a and b > 0, by its continued fraction (DLMF
/// 8.17.22).
double incomplete_beta(double x, double a, double b);

/// x with I_x(a, b) = p, p in [0, 1].
double beta_quantile(double p, double a, double b);

/// P[X ≤ k], X ~ Binomial(n, p): I_{1-p}(n - k, k + 1). 0 for k < 0, 1 for k ≥ n.
double binomial_cdf(std::int64_t k, std::int64_t n, double p);

/// log P[X = k], X ~ Binomial(n, p), 0 ≤ k ≤ n and p in (0, 1).
double log_binomial(std::int64_t k, std::int64_t n, double p);

/// P[Z ≤ z], Z ~ N(0, 1).
double normal_cdf(double z);

/// P[|T| > t], t ≥ 0, T ~ Student's t with `freedom` > 0 degrees of freedom.
double student_two_tails(double t, double freedom);

/// t ≥ 0 with P[|T| > t] = alpha, alpha in (0, 1).
double student_critical(double alpha, double freedom);

/// P[T ≤ t], T ~ noncentral t: (Z + shift) / √(χ²/freedom), by the series in incomplete beta
/// functions of Lenth 1989 (algorithm AS 243). It is summed around its largest term, where
/// the original starts at term 0, whose weight e^(-shift²/2) vanishes for |shift| > 38.
double noncentral_student_cdf(double t, double freedom, double shift);

}  // namespace namid
