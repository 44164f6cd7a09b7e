// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "namid/attacks/attack.h"

namespace namid::attacks {

/// Which points of the ball are tried: uniform in its volume (start.h), or on its border, where
/// that same draw is moved to: x ± epsilon in each entry for L∞, to norm epsilon for L2 and L1.
enum class NoiseKind { ball, border };

/// Random noise, the weakest of baselines, Fawzi et al. 2016 (arXiv:1608.08967, fawzi2016): points
/// drawn around x until one is misclassified. A model that it breaks is not robust by any measure;
/// a gradient attack that finds fewer points than it does is broken itself.
struct NoiseOptions {
  Budget budget = {};
  int draws = 100;
  NoiseKind kind = NoiseKind::border;
  bool targeted = false;
  static constexpr auto fields() {
    return std::tuple{
        field("budget", &NoiseOptions::budget, ""),
        field("draws", &NoiseOptions::draws, "points tried around each sample", at_least(1)),
        field("kind", &NoiseOptions::kind, "points on the border of the ball, or in its volume"),
        field("targeted", &NoiseOptions::targeted, "y holds target classes")};
  }
};
NAMID_CHECK_FIELDS(NoiseOptions);

/// A draw is a round (rounds.h): only what no draw before has fooled is drawn again.
constexpr int rounds(const NoiseOptions& options, std::int64_t /*classes*/ = 0) {
  return options.draws;
}

/// x: float32 (N, *input_shape) in [0,1]; y: int64 (N). The first draw that fools, moved into the
/// box (which can take a border point inside the ball), else the one of the largest margin. Passes
/// per sample: one forward a draw, no backward. OptionError before the first pass for unfit
/// arguments; NumericError; run::Interrupted.
AttackResult noise(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                   const NoiseOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks

namespace namid {
template <>
struct EnumNames<attacks::NoiseKind> {
  static constexpr std::array kNames{"ball", "border"};
};
}  // namespace namid
