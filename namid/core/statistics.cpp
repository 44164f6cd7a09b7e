// SPDX-License-Identifier: Apache-2.0
#include "namid/core/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "namid/core/error.h"
#include "namid/core/format.h"

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

/// x with I_x(a, b) = p, by bisection of the monotone function until two doubles are neighbours.
double beta_quantile(double p, double a, double b) {
  double low = 0, high = 1;
  for (int i = 0; i < 1100; ++i) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    (incomplete_beta(middle, a, b) < p ? low : high) = middle;
    if (high - low < 1e-15 * high) break;
  }
  return low + (high - low) / 2;
}

}  // namespace

double incomplete_beta(double x, double a, double b) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incomplete_beta(1 - x, b, a);
  const double front = std::exp(log_inverse_beta(a, b) + a * std::log(x) + b * std::log1p(-x));
  return front * continued_fraction(x, a, b) / a;
}

Interval clopper_pearson(std::int64_t successes, std::int64_t n, double confidence) {
  if (successes < 0 || n < 0 || successes > n)
    throw OptionError(
        str("clopper_pearson: expected 0 ≤ successes ≤ n, got ", successes, " of ", n));
  if (!(confidence > 0 && confidence < 1))
    throw OptionError(str("clopper_pearson: expected a confidence in (0, 1), got ", confidence));
  if (n == 0) return {};
  const double tail = (1 - confidence) / 2;
  const auto k = static_cast<double>(successes), rest = static_cast<double>(n - successes);
  Interval out;
  if (successes > 0) out.low = beta_quantile(tail, k, rest + 1);
  // The upper end by symmetry, so that both ends are equally sharp.
  if (successes < n) out.high = 1 - beta_quantile(tail, rest, k + 1);
  return out;
}

}  // namespace namid
