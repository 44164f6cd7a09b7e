// SPDX-License-Identifier: Apache-2.0
#include "namid/core/paired_tests.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "namid/core/distributions.h"
#include "namid/core/random.h"

namespace namid {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Part {
  double sum = 0;
  int count = 0;
};

/// sums[mask]: sum and count of the values whose bit is set.
std::vector<Part> subset_sums(const double* values, int count) {
  std::vector<Part> sums(std::size_t{1} << count);
  for (int bit = 0; bit < count; ++bit) {
    const auto half = std::size_t{1} << bit;
    for (std::size_t mask = 0; mask < half; ++mask)
      sums[half + mask] = {sums[mask].sum + values[bit], sums[mask].count + 1};
  }
  return sums;
}

/// Collects what sign_flip needs of each sign vector, given by the values it flips.
struct Signs {
  double total, slack;
  std::int64_t pairs, hits = 0;
  std::vector<double> low, high;  ///< subset means; those of no pairs never bound a side

  void add(const Part& flipped) {
    const double kept = total - flipped.sum;
    hits += std::abs(kept - flipped.sum) >= std::abs(total) - slack;
    add_mean(flipped.sum, flipped.count);
    add_mean(kept, pairs - flipped.count);
  }
  void add_mean(double sum, std::int64_t count) {
    low.push_back(count > 0 ? sum / static_cast<double>(count) : -kInfinity);
    high.push_back(count > 0 ? sum / static_cast<double>(count) : kInfinity);
  }
};

/// Adds each sign vector that keeps the last sign but the observed one; the others are their
/// negatives. Two halves, so that no sum has more than n terms.
void every_sign(const std::vector<double>& d, Signs& signs) {
  const auto free = static_cast<int>(d.size()) - 1;
  const auto left = subset_sums(d.data(), free / 2);
  const auto right = subset_sums(d.data() + free / 2, free - free / 2);
  for (std::size_t i = 0; i < right.size(); ++i)
    for (std::size_t j = 0; j < left.size(); ++j)
      if (i + j > 0) signs.add({left[j].sum + right[i].sum, left[j].count + right[i].count});
}

void random_signs(const std::vector<double>& d, const SignFlipOptions& options, Signs& signs) {
  const Random random(options.seed, "statistics/sign-flip");
  for (std::int64_t draw = 0; draw < options.draws; ++draw) {
    Part flipped;
    std::array<std::uint32_t, 4> words = {};
    for (std::size_t i = 0; i < d.size(); ++i) {
      if (i % 128 == 0)
        words = random.words({.sample = static_cast<std::uint64_t>(draw),
                              .iteration = static_cast<std::uint32_t>(i / 128)});
      if (words[i / 32 % 4] >> (i % 32) & 1) flipped.sum += d[i], ++flipped.count;
    }
    signs.add(flipped);
  }
}

/// The acceptance region of the test: θ below the mean is rejected while 1 + (subset means ≤ θ) ≤
/// α (1 + draws).
Interval accepted(Signs& signs, double mean, double alpha) {
  const auto tried = static_cast<double>(signs.low.size() / 2 + 1);
  const auto j = static_cast<std::int64_t>(std::floor(alpha * tried * (1 + 1e-12)));
  if (j < 1) return {-kInfinity, kInfinity};
  std::nth_element(signs.low.begin(), signs.low.begin() + (j - 1), signs.low.end());
  std::nth_element(signs.high.begin(), signs.high.end() - j, signs.high.end());
  return {std::min(mean, signs.low[static_cast<std::size_t>(j - 1)]),
          std::max(mean, signs.high[signs.high.size() - static_cast<std::size_t>(j)])};
}

}  // namespace

PairedCounts paired_counts(const std::vector<std::uint8_t>& first,
                           const std::vector<std::uint8_t>& second) {
  if (first.size() != second.size())
    throw OptionError(str("paired_counts: expected verdicts on the same images, got ", first.size(),
                          " and ", second.size()));
  PairedCounts out{.images = static_cast<std::int64_t>(first.size())};
  for (std::size_t i = 0; i < first.size(); ++i) {
    out.only_first += first[i] && !second[i];
    out.only_second += second[i] && !first[i];
  }
  return out;
}

void check_counts(const char* where, const PairedCounts& c) {
  if (c.images < 1 || c.only_first < 0 || c.only_second < 0 ||
      c.only_second > c.images - c.only_first)
    throw OptionError(str(where,
                          ": expected images ≥ 1 and discordant counts ≥ 0 within them, got ",
                          c.only_first, " and ", c.only_second, " of ", c.images));
}

McNemar mcnemar(const PairedCounts& counts, double confidence) {
  check_counts("mcnemar", counts);
  check_confidence("mcnemar", confidence);
  const auto [first, second, images] = counts;
  const auto discordant = first + second;
  const auto n = static_cast<double>(images), m = static_cast<double>(discordant);
  McNemar out{.counts = counts, .difference = static_cast<double>(first - second) / n};
  out.p_value = std::min(1.0, 2 * binomial_cdf(std::min(first, second), discordant, 0.5));
  const auto theta = clopper_pearson(first, discordant, confidence);
  out.conditional = {(2 * theta.low - 1) * m / n, (2 * theta.high - 1) * m / n};
  const auto a = clopper_pearson(first, images, (1 + confidence) / 2);
  const auto b = clopper_pearson(second, images, (1 + confidence) / 2);
  out.unconditional = {a.low - b.high, a.high - b.low};
  return out;
}

SignFlip sign_flip(const std::vector<double>& d, const SignFlipOptions& options) {
  validate(options, "sign-flip");
  const bool finite = std::all_of(d.begin(), d.end(), [](double v) { return std::isfinite(v); });
  if (d.empty() || !finite)
    throw OptionError("[sign-flip] expected one or more finite differences");
  const double total = std::accumulate(d.begin(), d.end(), 0.0);
  const double size = std::accumulate(d.begin(), d.end(), 0.0,
                                      [](double sum, double v) { return sum + std::abs(v); });
  SignFlip out{.pairs = static_cast<std::int64_t>(d.size())};
  out.mean = total / static_cast<double>(d.size());
  out.exact = d.size() <= static_cast<std::size_t>(options.exact_up_to);
  Signs signs{.total = total, .slack = 1e-12 * size, .pairs = out.pairs};
  if (out.exact) {
    every_sign(d, signs);
  } else {
    random_signs(d, options, signs);
  }
  out.signs = static_cast<std::int64_t>(signs.low.size() / 2 + 1);
  out.p_value = static_cast<double>(1 + signs.hits) / static_cast<double>(out.signs);
  out.interval = accepted(signs, out.mean, 1 - options.confidence);
  if (out.exact) out.signs *= 2;
  return out;
}

double smallest_sign_flip_p(std::int64_t pairs) {
  return std::ldexp(1.0, static_cast<int>(1 - pairs));
}

}  // namespace namid
