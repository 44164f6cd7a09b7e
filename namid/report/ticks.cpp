// SPDX-License-Identifier: Apache-2.0
#include "namid/report/ticks.h"

#include <algorithm>
#include <cmath>

#include "namid/core/format.h"

namespace namid::report {
namespace {

double round_step(double raw) {
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power * (1 + 1e-9)) return factor * power;
  }
  return 10 * power;
}

}  // namespace

Ticks round_ticks(double low, double high, int count) {
  constexpr double kLargest = 1e300;
  if (!std::isfinite(low) || !std::isfinite(high)) low = 0, high = 1;
  low = std::clamp(low, -kLargest, kLargest);
  high = std::clamp(high, -kLargest, kLargest);
  if (low > high) std::swap(low, high);
  const double size = std::max(std::abs(low), std::abs(high));
  // Below this width neighbouring ticks would be the same double.
  const double narrowest = std::max(size * 1e-9, 1e-290);
  if (high - low < narrowest) {
    const double margin = size > 1e-280 ? size * 0.1 : 1;
    low -= margin, high += margin;
  }
  Ticks ticks;
  ticks.step = round_step((high - low) / std::max(count - 1, 1));
  const double first = std::floor(low / ticks.step + 1e-9);
  const double last = std::max(std::ceil(high / ticks.step - 1e-9), first + 1);
  for (double i = first; i <= last; ++i) ticks.values.push_back(i * ticks.step);
  ticks.low = ticks.values.front(), ticks.high = ticks.values.back();
  return ticks;
}

Ticks ticks_within(double low, double high, int count) {
  Ticks ticks = round_ticks(low, high, count);
  if (!(low < high) || !std::isfinite(high - low)) return ticks;
  const double margin = ticks.step * 1e-6;
  std::erase_if(ticks.values, [&](double v) { return v < low - margin || v > high + margin; });
  ticks.low = low, ticks.high = high;
  return ticks;
}

std::string tick_label(double value, double step) {
  if (std::abs(value) < step * 1e-6) return "0";
  const double size = std::max(std::abs(value), step);
  if (size >= 1e7 || step < 1e-5) {
    const double digits = std::pow(10.0, 3 - std::floor(std::log10(size)));
    return shortest(std::isfinite(digits) ? std::round(value * digits) / digits : value);
  }
  const int decimals = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  return fixed(value, decimals);
}

}  // namespace namid::report
