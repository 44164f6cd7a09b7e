// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "namid/core/options.h"
#include "namid/core/paired_tests.h"

namespace namid {

// Bootstrap intervals of the difference in accuracy of two methods, each trained with the same
// S ≥ 2 seeds and tested on images: what other seeds and other images would have given.

struct BootstrapOptions {
  double confidence = 0.95;
  std::int64_t draws = 10000;
  std::uint64_t seed = 0;
  static constexpr auto fields() {
    using O = BootstrapOptions;
    return std::tuple{
        field("confidence", &O::confidence, "of the intervals", between(1e-9, 1 - 1e-9)),
        field("draws", &O::draws, "resamples", between(100, 1e7)),
        field("seed", &O::seed, "of the resamples"),
    };
  }
};
NAMID_CHECK_FIELDS(BootstrapOptions);

struct Bootstrap {
  double mean = 0;       ///< mean over seeds of the difference in accuracy, first minus second
  double deviation = 0;  ///< standard deviation of the resampled means
  Interval percentile;   ///< between the resampled means' α/2 and 1 - α/2 quantiles
  /// Percentile interval at a smaller level, for few seeds: α/2 replaced by Φ(-√(S/(S-1)) t), t the
  /// 1 - α/2 quantile of Student's t with S - 1 degrees of freedom (Hesterberg 2015,
  /// arXiv:1411.5279). Report this one.
  Interval expanded;
};

/// Hierarchical bootstrap: draws S seeds with replacement and, within each seed drawn, its images
/// with replacement; the statistic is the mean over seeds of the mean difference. Only the
/// discordant counts matter, one PairedCounts per seed.
///
/// Covers: seeds, and images drawn anew for every seed. If all seeds are tested on one set of
/// images, an image hard for a method in every seed counts S times as if it were S images: use
/// crossed_bootstrap, whose interval then is wider, wherever verdicts per image are at hand.
///
/// The percentile interval is too narrow for few seeds: resampling divides by S where the unbiased
/// variance divides by S - 1, and takes normal for t quantiles; where seeds differ more than images
/// can explain, 5 seeds at a nominal 95 % cover about 85 %. `expanded` repairs that, though no
/// resample reaches beyond the seeds' own values: 2 or 3 seeds stay too few. Image noise,
/// on the other hand, counts twice, as the seeds' differences contain it already (Davison & Hinkley
/// 1997, Sec. 3.8): where it dominates, both intervals are too wide. There is no BCa interval
/// (Efron 1987): its acceleration is a third moment estimated from S jackknife values, noise for
/// the 3 to 10 seeds that are usual.
///
/// Throws OptionError for fewer than 2 seeds or wrong counts. Draws: stream "statistics/bootstrap",
/// sample = resample, so results depend on the seed alone.
Bootstrap hierarchical_bootstrap(const std::vector<PairedCounts>& seeds,
                                 const BootstrapOptions& options = {});

/// Crossed ("pigeonhole") bootstrap, Owen 2007 (arXiv:0712.1111): all seeds share the images, so
/// one draw of images serves all seeds drawn: each pair (seed, image) weighs as often as its seed
/// times its image were drawn. Its variance is not too small, at most too large.
/// differences[s][i] = verdict of the first minus verdict of the second method, in {-1, 0, 1}, for
/// seed s and image i. Throws OptionError for fewer than 2 seeds, no images, rows of different
/// lengths or other values.
Bootstrap crossed_bootstrap(const std::vector<std::vector<std::int8_t>>& differences,
                            const BootstrapOptions& options = {});

}  // namespace namid
