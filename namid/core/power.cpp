// SPDX-License-Identifier: Apache-2.0
#include "namid/core/power.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "namid/core/distributions.h"

namespace namid {
namespace {

void check_design(const Design& design) {
  validate(design, "power");
  if (design.power <= design.alpha)
    throw OptionError(
        str("[power] power: expected > alpha = ", design.alpha, ", got ", design.power));
}

void check_pairs(std::int64_t pairs) {
  if (pairs < 2) throw OptionError(str("[power] pairs: expected ≥ 2, got ", pairs));
}

double shifted_power(double shift, std::int64_t pairs, double critical) {
  const auto freedom = static_cast<double>(pairs - 1);
  return 1 - noncentral_student_cdf(critical, freedom, shift) +
         noncentral_student_cdf(-critical, freedom, shift);
}

/// x in (low, high) with f(x) = target, f increasing.
template <class F>
double solve(const F& f, double target, double low, double high) {
  while (high - low > 1e-12 * high) {
    const double middle = low + (high - low) / 2;
    (f(middle) < target ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

/// One number m of discordant images: its probability, and the largest rejected smaller count.
struct Discordant {
  double probability;
  std::int64_t number, critical;
};

/// The largest c with 2 P[Binomial(m, 1/2) ≤ c] ≤ alpha; -1: none.
std::int64_t critical_count(std::int64_t m, double alpha) {
  std::int64_t low = -1, high = m / 2 + 1;
  while (high - low > 1) {
    const auto middle = low + (high - low) / 2;
    (2 * binomial_cdf(middle, m, 0.5) <= alpha ? low : high) = middle;
  }
  return low;
}

std::vector<Discordant> discordant_numbers(double discordance, std::int64_t images, double alpha) {
  if (images < 1) throw OptionError(str("[power] images: expected ≥ 1, got ", images));
  if (!(discordance > 0 && discordance <= 1))
    throw OptionError(str("[power] discordance: expected a share in (0, 1], got ", discordance));
  if (discordance == 1) return {{1, images, critical_count(images, alpha)}};
  const double mean = static_cast<double>(images) * discordance;
  const double reach = 9 * std::sqrt(mean * (1 - discordance)) + 30;
  const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(mean - reach));
  const auto last = std::min(images, static_cast<std::int64_t>(mean + reach));
  std::vector<Discordant> out;
  for (auto m = first; m <= last; ++m)
    out.push_back({std::exp(log_binomial(m, images, discordance)), m, critical_count(m, alpha)});
  return out;
}

double rejection(const std::vector<Discordant>& numbers, double ratio) {
  double power = 0;
  for (const auto& [probability, m, critical] : numbers)
    power += probability * (binomial_cdf(critical, m, (1 + ratio) / 2) +
                            binomial_cdf(critical, m, (1 - ratio) / 2));
  return power;
}

}  // namespace

double paired_power(double effect, double sd, std::int64_t pairs, double alpha) {
  validate(Design{.alpha = alpha}, "power");
  check_pairs(pairs);
  if (!(sd > 0 && std::isfinite(sd) && std::isfinite(effect)))
    throw OptionError(
        str("[power] expected sd > 0 and a finite effect, got ", sd, " and ", effect));
  return shifted_power(std::sqrt(static_cast<double>(pairs)) * effect / sd, pairs,
                       student_critical(alpha, static_cast<double>(pairs - 1)));
}

double detectable_effect(double sd, std::int64_t pairs, const Design& design) {
  check_design(design);
  check_pairs(pairs);
  if (!(sd >= 0 && std::isfinite(sd))) throw OptionError(str("[power] sd: expected ≥ 0, got ", sd));
  const double critical = student_critical(design.alpha, static_cast<double>(pairs - 1));
  const auto power = [&](double shift) { return shifted_power(shift, pairs, critical); };
  double high = 1;
  while (power(high) < design.power) high *= 2;
  return solve(power, design.power, 0, high) / std::sqrt(static_cast<double>(pairs)) * sd;
}

double mcnemar_power(double difference, double discordance, std::int64_t images, double alpha) {
  validate(Design{.alpha = alpha}, "power");
  const auto numbers = discordant_numbers(discordance, images, alpha);
  if (!(std::abs(difference) <= discordance))
    throw OptionError(str("[power] difference: expected within the discordance ", discordance,
                          ", got ", difference));
  return rejection(numbers, difference / discordance);
}

std::optional<double> detectable_difference(double discordance, std::int64_t images,
                                            const Design& design) {
  check_design(design);
  const auto numbers = discordant_numbers(discordance, images, design.alpha);
  const auto power = [&](double ratio) { return rejection(numbers, ratio); };
  if (power(1) < design.power) return std::nullopt;
  return discordance * solve(power, design.power, 0, 1);
}

}  // namespace namid
