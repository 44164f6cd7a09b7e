// SPDX-License-Identifier: Apache-2.0
#include "namid/core/paired_sequence.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace namid {
namespace {

constexpr std::int64_t kMostImages = 10'000'000;  // lgamma is exact to 1e-8 up to there
constexpr double kSlack = 1e-7;                   // an inexact ratio must exclude nothing wrongly
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// log C(n, k), n ≥ k real.
double log_choose(double n, double k) {
  return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(std::max(0.0, n - k) + 1);
}

/// The largest value of a concave function between the ends, by golden sections.
template <class F>
double largest(const F& value, double low, double high) {
  constexpr double kGolden = 0.6180339887498949;
  double a = high - kGolden * (high - low), b = low + kGolden * (high - low);
  double at_a = value(a), at_b = value(b);
  double best = std::max({value(low), value(high), at_a, at_b});
  for (int i = 0; i < 60 && high - low > 1e-6; ++i) {
    if (at_a < at_b) {
      low = a, a = b, at_a = at_b;
      at_b = value(b = low + kGolden * (high - low));
    } else {
      high = b, b = a, at_b = at_a;
      at_a = value(a = high - kGolden * (high - low));
    }
    best = std::max({best, at_a, at_b});
  }
  return best;
}

void check_draws(const PairedDraws& draws) {
  check_counts("paired_look", {.only_first = draws.seen.only_first,
                               .only_second = draws.seen.only_second,
                               .images = std::max<std::int64_t>(1, draws.seen.images)});
  if (draws.population < std::max<std::int64_t>(1, draws.seen.images) ||
      draws.population > kMostImages || draws.seen.images < 0)
    throw OptionError(str("paired_look: expected 0 ≤ images ≤ population ≤ ", kMostImages, ", got ",
                          draws.seen.images, " of ", draws.population));
}

/// The differences that what was seen leaves possible.
CountInterval possible(const PairedDraws& draws) {
  const auto now = draws.seen.only_first - draws.seen.only_second;
  const auto left = draws.population - draws.seen.images;
  return {now - left, now + left};
}

double ratio(const PairedDraws& draws, std::int64_t difference) {
  const auto [low, high] = possible(draws);
  if (difference < low || difference > high) return kInfinity;
  const auto n = static_cast<double>(draws.population), d = static_cast<double>(difference);
  const auto t = static_cast<double>(draws.seen.images);
  const auto first = static_cast<double>(draws.seen.only_first);
  const auto second = static_cast<double>(draws.seen.only_second);
  const double same = t - first - second;
  const auto log_likelihood = [&](double other) {  // other: K₋, and with it K₊ and K₀
    return log_choose(other + d, first) + log_choose(other, second) +
           log_choose(n - d - 2 * other, same);
  };
  const double least = std::max(second, first - d), most = (n - d - same) / 2;
  return std::log(2 / ((t + 1) * (t + 2))) + log_choose(n, t) -
         largest(log_likelihood, least, std::max(least, most));
}

/// The difference whose ratio is least: the ratio falls up to it and rises behind it.
std::int64_t likeliest(const PairedDraws& draws) {
  auto [low, high] = possible(draws);
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    if (ratio(draws, middle) <= ratio(draws, middle + 1)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

/// The difference farthest from `inside`, up to `outside`, that is not excluded.
std::int64_t last_open(const PairedDraws& draws, double limit, std::int64_t inside,
                       std::int64_t outside) {
  const auto excluded = [&](std::int64_t d) { return ratio(draws, d) >= limit + kSlack; };
  if (!excluded(outside)) return outside;
  while (std::abs(outside - inside) > 1) {
    const auto middle = inside + (outside - inside) / 2;
    (excluded(middle) ? outside : inside) = middle;
  }
  return inside;
}

}  // namespace

double paired_log_ratio(const PairedDraws& draws, std::int64_t difference) {
  check_draws(draws);
  return ratio(draws, difference);
}

PairedLook paired_look(const PairedDraws& draws, double alpha) {
  check_draws(draws);
  if (!(alpha > 0 && alpha <= 0.5))
    throw OptionError(str("paired_look: alpha: expected a number in (0, 0.5], got ", alpha));
  const auto [low, high] = possible(draws);
  const auto middle = likeliest(draws);
  const double limit = -std::log(alpha);
  PairedLook look;
  look.counts = {last_open(draws, limit, middle, low), last_open(draws, limit, middle, high)};
  const auto n = static_cast<double>(draws.population);
  look.interval = {static_cast<double>(look.counts.low) / n,
                   static_cast<double>(look.counts.high) / n};
  if (draws.seen.images > 0)
    look.estimate = static_cast<double>(draws.seen.only_first - draws.seen.only_second) /
                    static_cast<double>(draws.seen.images);
  look.p_value = std::min(1.0, std::exp(kSlack - ratio(draws, 0)));
  return look;
}

}  // namespace namid
