// SPDX-License-Identifier: Apache-2.0
#include "namid/core/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "namid/core/distributions.h"
#include "namid/core/random.h"

namespace namid {
namespace {

/// Whole numbers in 0..n-1 of one resample, one after the other; `lane` separates the seeds'
/// images.
class Indices {
 public:
  Indices(const Random& random, std::int64_t resample, std::size_t lane)
      : random_(random),
        at_{.sample = static_cast<std::uint64_t>(resample),
            .iteration = static_cast<std::uint32_t>(lane)} {}

  std::size_t below(std::size_t n) {
    if (next_ % 4 == 0) {
      at_.epoch = static_cast<std::uint32_t>(next_ >> 18);  // a position has 2^16 blocks of 4
      words_ = random_.words(at_, static_cast<std::uint16_t>(next_ >> 2));
    }
    return static_cast<std::size_t>((std::uint64_t{words_[next_++ % 4]} * n) >> 32);
  }

 private:
  const Random& random_;
  DrawPosition at_;
  std::array<std::uint32_t, 4> words_ = {};
  std::uint64_t next_ = 0;
};

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// The interval that leaves out ⌊tail (draws + 1)⌋ - 1 of the sorted values on either side.
Interval between_tails(const std::vector<double>& sorted, double tail) {
  const auto size = static_cast<double>(sorted.size());
  const auto rank = static_cast<std::size_t>(std::max(1.0, std::floor(tail * (size + 1))));
  return {sorted[rank - 1], sorted[sorted.size() - rank]};
}

Bootstrap summary(double mean, std::vector<double> resampled, std::size_t seeds, double alpha) {
  std::sort(resampled.begin(), resampled.end());
  Bootstrap out{.mean = mean};
  const double middle = mean_of(resampled);
  double squares = 0;
  for (const double value : resampled) squares += (value - middle) * (value - middle);
  out.deviation = std::sqrt(squares / static_cast<double>(resampled.size() - 1));
  out.percentile = between_tails(resampled, alpha / 2);
  const auto s = static_cast<double>(seeds);
  const double critical = std::sqrt(s / (s - 1)) * student_critical(alpha, s - 1);
  out.expanded = between_tails(resampled, normal_cdf(-critical));
  return out;
}

/// Mean difference of one seed's resampled images: the first only_first count +1, the next
/// only_second -1.
double resampled_difference(const PairedCounts& counts, Indices indices) {
  const auto images = static_cast<std::size_t>(counts.images);
  const auto plus = static_cast<std::size_t>(counts.only_first);
  const auto discordant = plus + static_cast<std::size_t>(counts.only_second);
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < images; ++i) {
    const auto image = indices.below(images);
    sum += (image < plus) - (image >= plus && image < discordant);
  }
  return static_cast<double>(sum) / static_cast<double>(images);
}

void check_differences(const std::vector<std::vector<std::int8_t>>& differences) {
  for (const auto& row : differences) {
    if (row.empty() || row.size() != differences[0].size())
      throw OptionError(str("[bootstrap] expected one difference per seed and image, got rows of ",
                            differences[0].size(), " and ", row.size()));
    for (const int value : row)
      if (value < -1 || value > 1)
        throw OptionError(str("[bootstrap] expected differences in {-1, 0, 1}, got ", value));
  }
}

void check_seeds(std::size_t seeds) {
  if (seeds < 2) throw OptionError(str("[bootstrap] seeds: expected ≥ 2, got ", seeds));
}

}  // namespace

Bootstrap hierarchical_bootstrap(const std::vector<PairedCounts>& seeds,
                                 const BootstrapOptions& options) {
  validate(options, "bootstrap");
  check_seeds(seeds.size());
  double mean = 0;
  for (const auto& counts : seeds) {
    check_counts("[bootstrap]", counts);
    mean += static_cast<double>(counts.only_first - counts.only_second) /
            static_cast<double>(counts.images) / static_cast<double>(seeds.size());
  }
  const Random random(options.seed, "statistics/bootstrap");
  std::vector<double> resampled;
  for (std::int64_t b = 0; b < options.draws; ++b) {
    Indices outer(random, b, 0);
    double sum = 0;
    for (std::size_t slot = 0; slot < seeds.size(); ++slot)
      sum += resampled_difference(seeds[outer.below(seeds.size())], {random, b, slot + 1});
    resampled.push_back(sum / static_cast<double>(seeds.size()));
  }
  return summary(mean, std::move(resampled), seeds.size(), 1 - options.confidence);
}

Bootstrap crossed_bootstrap(const std::vector<std::vector<std::int8_t>>& differences,
                            const BootstrapOptions& options) {
  validate(options, "bootstrap");
  check_seeds(differences.size());
  check_differences(differences);
  const auto seeds = differences.size(), images = differences[0].size();
  const auto cells = static_cast<double>(seeds * images);
  std::int64_t total = 0;
  for (const auto& row : differences) total = std::accumulate(row.begin(), row.end(), total);
  const Random random(options.seed, "statistics/bootstrap");
  std::vector<double> resampled;
  std::vector<std::int64_t> times(images);
  for (std::int64_t b = 0; b < options.draws; ++b) {
    Indices outer(random, b, 0), inner(random, b, 1);
    std::fill(times.begin(), times.end(), 0);
    for (std::size_t i = 0; i < images; ++i) ++times[inner.below(images)];
    std::int64_t sum = 0;
    for (std::size_t slot = 0; slot < seeds; ++slot) {
      const auto& row = differences[outer.below(seeds)];
      for (std::size_t i = 0; i < images; ++i) sum += times[i] * row[i];
    }
    resampled.push_back(static_cast<double>(sum) / cells);
  }
  return summary(static_cast<double>(total) / cells, std::move(resampled), seeds,
                 1 - options.confidence);
}

}  // namespace namid
