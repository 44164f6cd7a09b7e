// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "namid/eval/suite.h"

namespace namid::eval {

/// Sampled stages: expensive attacks that end a suite attack a random part of the images that the
/// attacks before them left, which gives an interval for the accuracy under the full suite
/// (core/subsample.h).
class SampledStages {
 public:
  SampledStages() = default;  ///< none
  /// "fab-t=300,square=300": attack = images. OptionError for an attack that the suite lacks (with
  /// the nearest name), a number below 1, an attack that is not sampled after one that is, or a
  /// suite that attacks each image with every attack.
  SampledStages(const std::string& text, const Suite& suite);

  bool none() const { return counts_.empty(); }
  /// Images of an attack of the suite; nothing if it is not sampled.
  std::optional<std::int64_t> count(std::size_t attack) const;
  /// Index of the first sampled attack; all attacks before it are not sampled.
  std::size_t first() const { return first_; }
  /// Images that every sampled stage attacks: the smallest count.
  std::int64_t common() const;

 private:
  std::size_t first_ = 0;
  std::vector<std::int64_t> counts_;  ///< of attacks first_, first_ + 1, ...
};

/// The first `count` of `ids` in an order drawn by (seed, id) alone: nested for growing counts, and
/// two models share as many as they can.
std::vector<std::uint64_t> drawn_ids(std::vector<std::uint64_t> ids, std::int64_t count,
                                     std::uint64_t seed);

/// The "sampled" of an evaluation's result: {"survivors", "drawn", "broken", "bound", "estimate",
/// "lower", "upper", "confidence"}: of n images, of which `survivors` were left to the sampled
/// stages, that broke `broken` of the `drawn` which all of them attacked.
nlohmann::json sampled_json(std::int64_t n, std::int64_t survivors, std::int64_t drawn,
                            std::int64_t broken, double confidence);

}  // namespace namid::eval
