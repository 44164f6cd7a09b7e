// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

namespace namid {

struct Interval {
  double low = 0, high = 1;
};

/// Throws OptionError unless confidence is in (0, 1); `where` starts the text.
void check_confidence(const char* where, double confidence);

/// Exact two-sided confidence interval of a proportion, Clopper & Pearson 1934, through quantiles
/// of the beta distribution: low = B⁻¹(α/2; k, n-k+1), high = B⁻¹(1-α/2; k+1, n-k), α = 1 -
/// confidence. Accurate to 1e-10. n = 0 gives [0, 1]. Throws OptionError unless 0 ≤ k ≤ n and
/// confidence in (0,1).
///
/// Covers: the share in the distribution the n images were drawn from, looked at once, for an n
/// fixed beforehand. Not: a look after every image (confidence_sequence.h), other seeds of the
/// training (bootstrap.h), or an attack stronger than the one that was run.
Interval clopper_pearson(std::int64_t successes, std::int64_t n, double confidence = 0.95);

/// What an evaluation knows of the robust accuracy, the share of the distribution's images whose
/// whole ball is classified right.
struct RobustBounds {
  double upper = 1;             ///< upper Clopper-Pearson limit of the share not broken
  std::optional<double> lower;  ///< lower limit of the certified share; none: no lower bound
};

/// Bounds of the robust accuracy from n images, `not_broken` of which no attack broke and
/// `certified` of which a certificate covers. An attack can only break too little and a certificate
/// only prove too little, so certified share ≤ robust accuracy ≤ share not broken, each with its
/// own sampling error: the limits leave out (1 - confidence)/2 each, so both hold together with at
/// least the confidence. Without certificates an evaluation gives no lower bound: images not broken
/// are not proven robust. Throws OptionError unless n ≥ 1 and 0 ≤ certified ≤ not_broken ≤ n (a
/// certified image that is broken shows a defect in one of the two), or for a confidence outside
/// (0, 1).
RobustBounds robust_bounds(std::int64_t not_broken, std::int64_t n,
                           std::optional<std::int64_t> certified = {}, double confidence = 0.95);

}  // namespace namid
