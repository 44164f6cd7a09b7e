// SPDX-License-Identifier: Apache-2.0
#include "namid/core/subsample.h"

#include <algorithm>
#include <cmath>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid {
namespace {

double log_choose(std::int64_t n, std::int64_t k) {
  const auto log_factorial = [](std::int64_t i) { return std::lgamma(static_cast<double>(i) + 1); };
  return log_factorial(n) - log_factorial(k) - log_factorial(n - k);
}

/// The first K in [low, high] for which `holds`, which turns true once and stays so; high if none.
template <class Predicate>
std::int64_t first_that(std::int64_t low, std::int64_t high, Predicate holds) {
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    if (holds(middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace

double hypergeometric_cdf(std::int64_t x, std::int64_t M, std::int64_t K, std::int64_t m) {
  const auto least = std::max<std::int64_t>(0, m + K - M), most = std::min(m, K);
  if (x < least) return 0;
  if (x >= most) return 1;
  const double all = log_choose(M, m);
  double sum = 0;
  for (auto i = least; i <= x; ++i)
    sum += std::exp(log_choose(K, i) + log_choose(M - K, m - i) - all);
  return std::min(sum, 1.0);
}

MarkedCount marked_count(std::int64_t M, std::int64_t m, std::int64_t k, double confidence) {
  check_confidence("marked_count", confidence);
  if (k < 0 || m < k || M < m || (m == 0 && M > 0))
    throw OptionError(str("[marked_count] expected 0 ≤ seen ≤ drawn ≤ all, and one drawn, got ", k,
                          ", ", m, " and ", M));
  const double tail = (1 - confidence) / 2;
  const auto least = k, most = M - (m - k);  // K that can give k of m
  const auto low = first_that(
      least, most, [&](std::int64_t K) { return 1 - hypergeometric_cdf(k - 1, M, K, m) > tail; });
  const auto beyond = first_that(low, most + 1, [&](std::int64_t K) {
    return K > most || hypergeometric_cdf(k, M, K, m) <= tail;
  });
  return {low, beyond - 1};
}

SampledAccuracy sampled_accuracy(std::int64_t n, std::int64_t survivors, std::int64_t drawn,
                                 std::int64_t broken, double confidence) {
  if (n < 1 || survivors > n)
    throw OptionError(
        str("[sampled_accuracy] expected survivors ≤ n and n ≥ 1, got ", survivors, " and ", n));
  const auto count = marked_count(survivors, drawn, broken, confidence);
  const auto share = [&](double left) { return left / static_cast<double>(n); };
  const auto all = static_cast<double>(survivors);
  const double rate = drawn == 0 ? 0 : static_cast<double>(broken) / static_cast<double>(drawn);
  return {.bound = share(all - static_cast<double>(broken)),
          .estimate = share(all * (1 - rate)),
          .interval = {share(static_cast<double>(survivors - count.high)),
                       share(static_cast<double>(survivors - count.low))}};
}

}  // namespace namid
