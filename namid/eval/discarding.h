// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "namid/attacks/attack.h"
#include "namid/eval/ledger.h"
#include "namid/eval/suite.h"

namespace namid::eval {

/// Online discarding, Liu et al. 2022 (arXiv:2203.05154, liu2022): a round attacks only those of
/// the survivors that came nearest to the boundary so far. The others count as robust, so that the
/// accuracy stays an upper bound.

/// How many of the S survivors of n images a round of share a attacks: max(100, ⌊a S⌋), at most S;
/// all where fewer than a tenth of the images is left.
std::int64_t kept_of(double share, std::int64_t survivors, std::int64_t n);

/// Lowest z_y − max_{c≠y} z_c seen of each sample: on the natural image and where an attack ended.
class LowestMargins {
 public:
  void add(std::uint64_t sample, double margin);
  /// The `count` samples of `ids` of the lowest margins; of equals the lowest id.
  std::vector<std::uint64_t> nearest(std::vector<std::uint64_t> ids, std::int64_t count) const;
  /// Infinity for a sample of which nothing was seen.
  double of(std::uint64_t sample) const;

 private:
  std::unordered_map<std::uint64_t, double> margins_;
};

/// The attack a3 (attacks/a3.h) as the protocol of its paper: its schedule's shares are discarded
/// online, and after round 1 the direction of its starts is learned from what that round broke.
AttackEntry a3_protocol(const attacks::Budget& budget);

}  // namespace namid::eval
