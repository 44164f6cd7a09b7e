// SPDX-License-Identifier: Apache-2.0
#include "namid/core/confidence_sequence.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "namid/core/last_kept.h"

namespace namid {
namespace {

constexpr std::int64_t kMaxPopulation = 1'000'000'000;  // so that its square fits

double log_factorial(std::int64_t n) {
  return std::lgamma(static_cast<double>(n) + 1);
}

double log_beta(double a, double b) {
  return std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b);
}

}  // namespace

ConfidenceSequence::ConfidenceSequence(std::int64_t population,
                                       const ConfidenceSequenceOptions& options)
    : population_(population), options_(options), counts_{0, population} {
  validate(options, "confidence-sequence");
  if (population < 1 || population > kMaxPopulation)
    throw OptionError(str("[confidence-sequence] population: expected 1 to ", kMaxPopulation,
                          ", got ", population));
  log_limit_ = -std::log(options.alpha);
}

void ConfidenceSequence::add(std::int64_t successes, std::int64_t draws) {
  if (successes < 0 || successes > draws || draws > population_ - draws_)
    throw OptionError(str("[confidence-sequence] expected 0 ≤ successes ≤ draws ≤ ",
                          population_ - draws_, ", got ", successes, " of ", draws));
  successes_ += successes;
  draws_ += draws;
  const auto k = static_cast<double>(successes_), rest = static_cast<double>(draws_) - k;
  evidence_ = log_beta(options_.prior_a + k, options_.prior_b + rest) -
              log_beta(options_.prior_a, options_.prior_b) + log_factorial(population_) -
              log_factorial(population_ - draws_);
  counts_ = latest();
}

double ConfidenceSequence::log_ratio(std::int64_t k) const {
  const auto failures = population_ - k;
  const auto successes_left = k - successes_, failures_left = failures - (draws_ - successes_);
  if (successes_left < 0 || failures_left < 0) return std::numeric_limits<double>::infinity();
  return evidence_ - (log_factorial(k) - log_factorial(successes_left)) -
         (log_factorial(failures) - log_factorial(failures_left));
}

CountInterval ConfidenceSequence::latest() const {
  const CountInterval possible{successes_, population_ - (draws_ - successes_)};
  if (draws_ == 0) return possible;
  // The likeliest K is never excluded: what was seen has no smaller probability under it than under
  // the prior.
  const auto likeliest =
      std::clamp(successes_ * (population_ + 1) / draws_, possible.low, possible.high);
  const auto out = [this](std::int64_t k) { return excluded(k); };
  const auto low = options_.intersect ? std::max(possible.low, counts_.low) : possible.low;
  const auto high = options_.intersect ? std::min(possible.high, counts_.high) : possible.high;
  if (low <= likeliest && likeliest <= high)
    return {last_kept(out, likeliest, low), last_kept(out, likeliest, high)};
  const CountInterval now{last_kept(out, likeliest, possible.low),
                          last_kept(out, likeliest, possible.high)};
  const CountInterval both{std::max(low, now.low), std::min(high, now.high)};
  return both.low <= both.high ? both : now;
}

Interval ConfidenceSequence::interval() const {
  const auto n = static_cast<double>(population_);
  return {static_cast<double>(counts_.low) / n, static_cast<double>(counts_.high) / n};
}

bool ConfidenceSequence::within(double width) const {
  return static_cast<double>(counts_.high - counts_.low) / static_cast<double>(population_) <=
         width;
}

}  // namespace namid
