// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "namid/core/confidence_sequence.h"
#include "namid/core/paired_tests.h"

namespace namid {

/// What was seen of two models on the same images, drawn one after the other in random order,
/// without replacement, from a set of `population`; `seen.images` is the number drawn.
struct PairedDraws {
  PairedCounts seen;
  std::int64_t population = 0;
};

/// log of the evidence against D = `difference`, the number of images of the whole set on which the
/// first model is right and the second wrong, minus that of the reverse: the prior-posterior ratio
/// of Waudby-Smith & Ramdas 2020 (arXiv:2006.04347), here with three kinds of images: K₊ where the
/// first alone is right, K₋ where the second alone is, K₀ the others, K₊ + K₀ + K₋ = N. With the
/// uniform prior over such triples it is, after t images of which k₊, k₀, k₋ were seen,
///     R(K) = 2 / ((t + 1)(t + 2)) · C(N, t) / (C(K₊, k₊) C(K₀, k₀) C(K₋, k₋)),
/// a martingale of mean 1 at the true K. K₊ - K₋ is D for many K: the smallest ratio among them is
/// returned, so that D is excluded only where every one of them is. It is taken over real K ≥ k,
/// which log C(x, k), concave for x ≥ k, permits: no larger than over whole numbers, so never a
/// wrong exclusion, and unimodal in D. Infinity where D cannot be any more. OptionError for counts
/// that do not fit.
double paired_log_ratio(const PairedDraws& draws, std::int64_t difference);

struct PairedLook {
  CountInterval counts;  ///< K₊ - K₋ not excluded
  Interval interval;     ///< the same as shares of N
  double estimate = 0;   ///< (k₊ - k₋) / t
  double p_value = 1;    ///< of "no difference on the whole set": min(1, 1 / R) at D = 0
};

/// The confidence sequence for the mean of the paired differences in {-1, 0, 1}, at this look:
///     P[there is a t ≤ N with K₊ - K₋ outside `counts` after t images] ≤ alpha,
/// by Ville's inequality, so stopping at any moment and for any reason is allowed, and p_value ≤ a
/// has probability a at most at whatever moment. After all N images it is the difference itself.
/// Population: these N images, not the distribution behind them (mcnemar, for one look at a
/// complete evaluation). Two-sided: a decision by one end alone is wrong no more often than alpha.
/// The width does not depend on the other looks: the order of the draws is not needed.
/// OptionError for an alpha outside (0, 0.5], counts that do not fit, or more than 1e7 images.
PairedLook paired_look(const PairedDraws& draws, double alpha = 0.05);

}  // namespace namid
