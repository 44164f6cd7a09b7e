// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "namid/core/options.h"
#include "namid/core/statistics.h"

namespace namid {

struct ConfidenceSequenceOptions {
  double alpha = 0.05;
  double prior_a = 1, prior_b = 1;
  bool intersect = true;
  static constexpr auto fields() {
    using O = ConfidenceSequenceOptions;
    return std::tuple{
        field("alpha", &O::alpha, "probability of ever missing the truth", between(1e-12, 0.5)),
        field("prior-a", &O::prior_a, "first parameter of the beta-binomial prior", above(0)),
        field("prior-b", &O::prior_b, "second parameter of the beta-binomial prior", above(0)),
        field("intersect", &O::intersect, "keep what earlier looks excluded"),
    };
  }
};
NAMID_CHECK_FIELDS(ConfidenceSequenceOptions);

/// Whole numbers low..high, both included.
struct CountInterval {
  std::int64_t low = 0, high = 0;
  friend bool operator==(const CountInterval&, const CountInterval&) = default;
};

/// Confidence sequence for the number K of successes among N images that are looked at one after
/// the other in random order, without replacement: Waudby-Smith & Ramdas 2020 (arXiv:2006.04347),
/// the sequence from the prior-posterior ratio with a beta-binomial prior.
///
/// Population: the N images of the set, nothing else. K/N is the accuracy that a complete
/// evaluation of this set would report; once all N are seen the interval is that number, [K, K].
/// It says nothing of other images from the distribution the set was drawn from. That is what
/// clopper_pearson does, which is still [low, high] wide after all N images, but holds for one look
/// at a number of images fixed beforehand: looked at after each image until something is decided,
/// it misses far more often than it says. This sequence holds at all times at once,
///     P[there is a t ≤ N with K outside the interval after t images] ≤ alpha,
/// so stopping at any moment, for any reason (a decision, a width, a time budget), is allowed. The
/// order must be random: each of the images not yet seen equally likely to be the next.
///
/// After t images with k successes, K is excluded while prior(K) / posterior(K) ≥ 1/alpha, which is
/// the ratio of the probabilities of what was seen under the prior and under K,
///     R(K) = B(a + k, b + t - k) / B(a, b) · (N)_t / ((K)_k (N - K)_(t-k)),
/// (x)_j = x (x-1) ... (x-j+1). At the true K it is a martingale of mean 1; Ville's inequality
/// gives the line above, whatever a and b: the prior (a = b = 1 uniform on 0..N) changes the width
/// only. R is unimodal in K, least at K = ⌊k (N + 1) / t⌋, so the set is an interval, found by
/// bisection: O(log N) an update, O(1) where no end moves; all in logarithms.
///
/// Two-sided: alpha is the probability of missing on either side. A claim is decided by one end
/// alone, so a wrong decision is no likelier than alpha.
class ConfidenceSequence {
 public:
  /// Throws OptionError unless population is 1 to 1e9 and the options are in range.
  explicit ConfidenceSequence(std::int64_t population,
                              const ConfidenceSequenceOptions& options = {});

  void add(bool success) { add(success ? 1 : 0, 1); }
  /// `draws` more images, `successes` of them successes: one look after them. Throws OptionError
  /// unless 0 ≤ successes ≤ draws ≤ images not yet seen.
  void add(std::int64_t successes, std::int64_t draws);

  std::int64_t population() const { return population_; }
  std::int64_t draws() const { return draws_; }
  std::int64_t successes() const { return successes_; }

  /// The K not excluded. With `intersect`, of this and all earlier looks, which the guarantee for
  /// all times allows: it never widens. If nothing is left, which has probability alpha at most
  /// and shows an earlier miss, it starts again from the last look.
  CountInterval counts() const { return counts_; }
  /// The same as shares of N.
  Interval interval() const;
  /// Whether the interval of shares is at most `width` wide.
  bool within(double width) const;
  /// log R(K); infinity where K cannot be (fewer than the successes seen, or too few failures).
  double log_ratio(std::int64_t k) const;

 private:
  CountInterval latest() const;
  bool excluded(std::int64_t k) const { return log_ratio(k) >= log_limit_; }

  std::int64_t population_, draws_ = 0, successes_ = 0;
  ConfidenceSequenceOptions options_;
  double log_limit_;     // log(1/alpha)
  double evidence_ = 0;  // the part of log R that is the same for all K
  CountInterval counts_;
};

}  // namespace namid
