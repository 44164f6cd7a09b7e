// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "namid/core/statistics.h"

namespace namid::eval {

/// Robust share of the images at one radius, with the simultaneous band.
struct CurvePoint {
  double epsilon = 0;
  double robust = 1;
  Interval band;
};

/// A quantile of the smallest norms; nothing where it lies beyond what was tried.
struct RadiusQuantile {
  double share = 0.5;
  std::optional<double> value;
  std::optional<double> lower = 0, upper;  ///< by the band: hold for all shares at once
};

/// The security curve: robust accuracy as a function of epsilon, out of one radius per image, the
/// smallest norm at which it was broken (0: a natural error; infinity: never, within `reach`):
///   S_n(ε) = #{i : r_i > ε} / n,
/// the survival function of the radii, a step function continuous from the right. Every r_i is an
/// upper bound of the image's distance to another class, so that S_n never lies below the robust
/// share of these images, at any ε.
///
/// Band: S_n(ε) ± δ, δ = sqrt(ln(2/α) / 2n), α = 1 − confidence, within [0,1]. Holds at every ε at
/// once with probability ≥ 1 − α when the n images are drawn independently (Dvoretzky, Kiefer &
/// Wolfowitz 1956 with the constant of Massart 1990, massart1990, Cor. 1), for radii of any
/// distribution, ties and infinities among them. It covers the drawing of the images alone, not
/// attacks that find smaller norms.
///
/// Censoring: images that were never broken were all tried up to the same radius, `reach`. They
/// count as robust below it, and nothing is said beyond. No Kaplan-Meier estimate is made: an
/// attack fails on images that are hard, so that what it leaves is no random part.
class SecurityCurve {
 public:
  /// radii: one per image, each in [0, reach] or infinite. OptionError for none, for others, and
  /// for a confidence outside (0, 1).
  SecurityCurve(std::vector<double> radii, double reach, double confidence = 0.95);

  std::int64_t n() const { return static_cast<std::int64_t>(radii_.size()); }
  std::int64_t censored() const;
  double reach() const { return reach_; }
  double confidence() const { return confidence_; }
  /// δ of the band.
  double half_width() const;
  double robust(double epsilon) const;
  CurvePoint at(double epsilon) const;

  /// Smallest radius within which at least `share` of the images is broken, share in (0, 1], and
  /// its interval: the radii at share − δ and share + δ.
  RadiusQuantile quantile(double share) const;

  /// ε = 0 and every radius at which the curve falls, ascending; where there are more than `most`
  /// (≥ 2), so many of them, the first and the last included, evenly by their order.
  std::vector<CurvePoint> points(std::size_t most) const;

  /// Three or more radii at which to check the curve: those at which 1/4, 1/2 and 3/4 of the images
  /// that are right at x are broken, to 3 digits; where these are not three, quarters of the
  /// largest finite radius, or of `reach` where there is none.
  std::vector<double> check_points() const;

 private:
  std::optional<double> broken_within(double share) const;

  std::vector<double> radii_;  ///< ascending
  double reach_, confidence_;
};

}  // namespace namid::eval
