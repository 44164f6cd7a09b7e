// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "namid/core/options.h"
#include "namid/core/statistics.h"

namespace namid {

// Two methods compared on the same material: two checkpoints on the same images (McNemar), or two
// methods trained with the same seeds (sign flips). Differences are first minus second.

/// Images on which exactly one of two models is right; the others say nothing of the difference.
struct PairedCounts {
  std::int64_t only_first = 0;   ///< first right, second wrong
  std::int64_t only_second = 0;  ///< second right, first wrong
  std::int64_t images = 0;       ///< all, the concordant ones too
};

/// Counts two models' verdicts (nonzero: right) on the same images in the same order. Throws
/// OptionError where the lengths differ.
PairedCounts paired_counts(const std::vector<std::uint8_t>& first,
                           const std::vector<std::uint8_t>& second);

/// Throws OptionError unless images ≥ 1, both counts ≥ 0 and their sum ≤ images.
void check_counts(const char* where, const PairedCounts& counts);

struct McNemar {
  PairedCounts counts;
  double p_value = 1;
  double difference = 0;            ///< (only_first - only_second) / images
  Interval conditional = {0, 0};    ///< of the difference, given the discordant pairs' number
  Interval unconditional = {0, 0};  ///< of the difference in the images' distribution
};

/// Exact McNemar test of "both models are equally accurate" (McNemar 1947): among the m =
/// only_first + only_second discordant images only_first ~ Binomial(m, 1/2), two-sided p = min(1,
/// 2 P[Binomial(m, 1/2) ≤ min(only_first, only_second)]); m = 0 gives p = 1.
///
/// Intervals of the difference of accuracies at `confidence`:
/// - conditional: (2θ - 1) m / images, θ in the Clopper-Pearson interval of only_first of m. Exact
///   given m, which it takes as known; it leaves out 0 exactly where p ≤ 1 - confidence. [0, 0] for
///   m = 0.
/// - unconditional: Clopper-Pearson for both shares at level 1 - α/2, low of the one minus high of
///   the other. Also covers the sampling of m; wider than need be.
///
/// Covers: these two checkpoints, on other images of the distribution. Not: the methods behind
/// them; a method's checkpoints differ from seed to seed (sign_flip, bootstrap.h).
McNemar mcnemar(const PairedCounts& counts, double confidence = 0.95);

struct SignFlipOptions {
  double confidence = 0.95;
  int exact_up_to = 20;
  std::int64_t draws = 99999;
  std::uint64_t seed = 0;
  static constexpr auto fields() {
    using O = SignFlipOptions;
    return std::tuple{
        field("confidence", &O::confidence, "of the interval", between(1e-9, 1 - 1e-9)),
        field("exact-up-to", &O::exact_up_to, "pairs up to which all 2^n signs are tried",
              between(0, 22)),
        field("draws", &O::draws, "random signs above that", between(99, 1e7)),
        field("seed", &O::seed, "of the random signs"),
    };
  }
};
NAMID_CHECK_FIELDS(SignFlipOptions);

struct SignFlip {
  std::int64_t pairs = 0;
  double mean = 0;         ///< of the differences
  double p_value = 1;      ///< two-sided
  Interval interval;       ///< of the mean difference; ±infinity where the pairs are too few
  bool exact = true;       ///< all signs were tried
  std::int64_t signs = 0;  ///< sign vectors tried, the observed one included
};

/// Paired randomisation test (Fisher 1935, Sec. 21): if the methods do not differ, each difference
/// is as likely to have the other sign. p = share of the 2ⁿ sign vectors s with |Σ sᵢdᵢ| ≥ |Σ dᵢ|
/// (ties within 1e-12 Σ|dᵢ| count). Above `exact_up_to` pairs: p = (1 + hits) / (1 + draws) with
/// seeded random signs, valid for any number of draws. p is never below 2¹⁻ⁿ, so fewer than 6 pairs
/// never reach 0.05 (smallest_sign_flip_p).
///
/// The interval holds every θ that the same test with the same signs, applied to dᵢ - θ, does not
/// reject at α = 1 - confidence. Its ends are subsample means (Hartigan 1969): of the means over
/// the flipped and over the unflipped pairs of each sign vector, the j-th smallest and the j-th
/// largest, j = ⌊α (1 + draws)⌋, or ⌊α 2ⁿ⁻¹⌋ where exact. j = 0: nothing can be rejected,
/// (-infinity, infinity).
///
/// Covers: other seeds, for differences distributed symmetrically about their mean; exact under
/// that. Not: other images (each difference is taken as it is).
/// Throws OptionError for no or non-finite differences.
SignFlip sign_flip(const std::vector<double>& differences, const SignFlipOptions& options = {});

/// 2^(1 - pairs): the smallest p that `pairs` differences can give.
double smallest_sign_flip_p(std::int64_t pairs);

}  // namespace namid
