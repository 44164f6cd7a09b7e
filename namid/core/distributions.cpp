// SPDX-License-Identifier: Apache-2.0
#include "namid/core/distributions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace namid {
namespace {

// log(Gamma(a + b) / (Gamma(a) Gamma(b))): std::lgamma writes a global sign, harmless for a, b > 0.
double log_inverse_beta(double a, double b) {
  return std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b);
}

double away_from_zero(double value) {
  constexpr double kTiny = 1e-300;
  return std::abs(value) < kTiny ? kTiny : value;
}

/// The continued fraction of DLMF 8.17.22, evaluated by the modified Lentz method. It converges
/// within O(sqrt(max(a, b))) terms where x < (a + 1) / (a + b + 2).
double continued_fraction(double x, double a, double b) {
  const auto limit = 200 + static_cast<std::int64_t>(20 * std::sqrt(std::max(a, b)));
  double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), product = d;
  for (std::int64_t i = 1; i <= limit; ++i) {
    const auto m = static_cast<double>(i);
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    product *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    product *= d * c;
    if (std::abs(d * c - 1) < std::numeric_limits<double>::epsilon()) break;
  }
  return product;
}

}  // namespace

double incomplete_beta(double x, double a, double b) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incomplete_beta(1 - x, b, a);
  const double front = std::exp(log_inverse_beta(a, b) + a * std::log(x) + b * std::log1p(-x));
  return front * continued_fraction(x, a, b) / a;
}

double beta_quantile(double p, double a, double b) {
  double low = 0, high = 1;
  for (int i = 0; i < 1100; ++i) {  // until two doubles are neighbours
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    (incomplete_beta(middle, a, b) < p ? low : high) = middle;
    if (high - low < 1e-15 * high) break;
  }
  return low + (high - low) / 2;
}

double binomial_cdf(std::int64_t k, std::int64_t n, double p) {
  if (k < 0) return 0;
  if (k >= n) return 1;
  return incomplete_beta(1 - p, static_cast<double>(n - k), static_cast<double>(k + 1));
}

double log_binomial(std::int64_t k, std::int64_t n, double p) {
  const auto hits = static_cast<double>(k), rest = static_cast<double>(n - k);
  return log_inverse_beta(hits + 1, rest + 1) - std::log1p(hits + rest) + hits * std::log(p) +
         rest * std::log1p(-p);
}

double normal_cdf(double z) {
  return std::erfc(-z / std::numbers::sqrt2) / 2;
}

double student_two_tails(double t, double freedom) {
  return incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5);
}

double student_critical(double alpha, double freedom) {
  double low = 0, high = 1;
  while (student_two_tails(high, freedom) > alpha) low = high, high *= 2;
  while (high - low > 1e-15 * high) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    (student_two_tails(middle, freedom) > alpha ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

double noncentral_student_cdf(double t, double freedom, double shift) {
  if (t < 0) return 1 - noncentral_student_cdf(-t, freedom, -shift);
  if (shift == 0) return 1 - student_two_tails(t, freedom) / 2;
  const double x = t * t / (t * t + freedom), rate = shift * shift / 2, spread = std::sqrt(rate);
  const auto first = static_cast<std::int64_t>(std::max(0.0, rate - 9 * spread - 40));
  const auto last = static_cast<std::int64_t>(rate + 9 * spread + 40);
  double sum = 0;
  for (std::int64_t i = first; i <= last; ++i) {  // Poisson weights: all mass within 9 spreads
    const auto j = static_cast<double>(i);
    const double even = std::exp(j * std::log(rate) - rate - std::lgamma(j + 1));
    const double odd = std::exp((j + 0.5) * std::log(rate) - rate - std::lgamma(j + 1.5));
    sum += even * incomplete_beta(x, j + 0.5, freedom / 2) +
           std::copysign(odd, shift) * incomplete_beta(x, j + 1, freedom / 2);
  }
  return std::clamp(normal_cdf(-shift) + sum / 2, 0.0, 1.0);
}

}  // namespace namid
