// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/security_curve.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::eval {
namespace {

/// To 3 significant digits.
double rounded_radius(double value) {
  if (!(value > 0)) return 0;
  const double unit = std::pow(10.0, std::floor(std::log10(value)) - 2);
  const double digits = std::round(value / unit);
  return unit < 1 ? digits / std::round(1 / unit) : digits * unit;
}

}  // namespace

SecurityCurve::SecurityCurve(std::vector<double> radii, double reach, double confidence)
    : radii_(std::move(radii)), reach_(reach), confidence_(confidence) {
  check_confidence("[curve]", confidence);
  if (radii_.empty()) throw OptionError("[curve] expected at least one image, got none");
  for (const double radius : radii_)
    if (!(radius >= 0) || (std::isfinite(radius) && radius > reach))
      throw OptionError(str("[curve] radius: expected 0 to ", reach, " or infinity, got ", radius));
  std::sort(radii_.begin(), radii_.end());
}

std::int64_t SecurityCurve::censored() const {
  return std::count(radii_.begin(), radii_.end(), std::numeric_limits<double>::infinity());
}

double SecurityCurve::half_width() const {
  return std::sqrt(std::log(2 / (1 - confidence_)) / (2 * static_cast<double>(n())));
}

double SecurityCurve::robust(double epsilon) const {
  const auto left = radii_.end() - std::upper_bound(radii_.begin(), radii_.end(), epsilon);
  return static_cast<double>(left) / static_cast<double>(n());
}

CurvePoint SecurityCurve::at(double epsilon) const {
  const double share = robust(epsilon), width = half_width();
  return {.epsilon = epsilon,
          .robust = share,
          .band = {.low = std::max(0.0, share - width), .high = std::min(1.0, share + width)}};
}

std::optional<double> SecurityCurve::broken_within(double share) const {
  if (share <= 0) return 0;
  const auto total = static_cast<double>(n());
  auto count = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(share * total)));
  // The product may round up over an integer: 0.7 · 10.
  while (count > 1 && static_cast<double>(count - 1) / total >= share) --count;
  if (count > n()) return {};
  const double radius = radii_[static_cast<std::size_t>(count - 1)];
  return std::isfinite(radius) ? std::optional(radius) : std::nullopt;
}

RadiusQuantile SecurityCurve::quantile(double share) const {
  if (!(share > 0 && share <= 1))
    throw OptionError(str("[curve] quantile: expected a share in (0, 1], got ", share));
  return {.share = share,
          .value = broken_within(share),
          .lower = broken_within(share - half_width()),
          .upper = broken_within(share + half_width())};
}

std::vector<CurvePoint> SecurityCurve::points(std::size_t most) const {
  std::vector<double> where{0};
  for (const double radius : radii_)
    if (std::isfinite(radius) && radius > where.back()) where.push_back(radius);
  const auto count = std::min(where.size(), std::max<std::size_t>(most, 2));
  std::vector<CurvePoint> points;
  for (std::size_t k = 0; k < count; ++k)
    points.push_back(at(where[count == 1 ? 0 : k * (where.size() - 1) / (count - 1)]));
  return points;
}

std::vector<double> SecurityCurve::check_points() const {
  const double natural = robust(0);
  std::set<double> found;
  for (const double part : {0.25, 0.5, 0.75})
    if (const auto radius = broken_within(1 - natural + part * natural))
      found.insert(std::min(reach_, rounded_radius(*radius)));
  found.erase(0);
  if (found.size() < 3) {
    const auto last = points(std::numeric_limits<std::size_t>::max()).back().epsilon;
    const double end = last > 0 ? last : reach_;
    for (const double part : {0.25, 0.5, 0.75}) found.insert(rounded_radius(part * end));
    found.erase(0);
  }
  return {found.begin(), found.end()};
}

}  // namespace namid::eval
