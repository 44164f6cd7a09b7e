// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/attack.h"

namespace namid::attacks {

/// Random search, Rastrigin 1963 (rastrigin1963): from x_0 = x, for k = 1 .. steps
///   x_k = Π(x_best + u),   u uniform in the ball of radius step_size
/// and x_best ← x_k where the margin max_{j≠y} z_j − z_y (targeted: z_t − max_{j≠t} z_j) rises. A
/// baseline without gradients: Square (square.h) searches windows instead of all entries at once
/// and is far stronger on images.
struct RandomSearchOptions {
  Budget budget = {};
  int steps = 1000;
  Automatic<double> step_size = {};
  int restarts = 1;
  bool targeted = false;
  static constexpr auto fields() {
    using T = RandomSearchOptions;
    return std::tuple{
        field("budget", &T::budget, ""),
        field("steps", &T::steps, "points tried in each restart", at_least(1)),
        field("step_size", &T::step_size, "radius of a step; auto: epsilon", at_least(0)),
        field("restarts", &T::restarts, "searches, each on what is not fooled yet", at_least(1)),
        field("targeted", &T::targeted, "y holds target classes")};
  }
};
NAMID_CHECK_FIELDS(RandomSearchOptions);

/// Restarts.
constexpr int rounds(const RandomSearchOptions& options, std::int64_t /*classes*/ = 0) {
  return options.restarts;
}

/// x: float32 (N, *input_shape) in [0,1]; y: int64 (N). The first point that fools, else the one of
/// the largest margin, x included. Passes per sample and restart: a forward of x and one a step
/// until the sample is fooled; a batch goes on until its last sample is. OptionError before the
/// first pass for unfit arguments; NumericError; run::Interrupted.
AttackResult random_search(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                           const RandomSearchOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks
