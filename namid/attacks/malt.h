// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "namid/attacks/attack.h"

namespace namid::attacks {

/// MALT, Melamed et al. 2024 (arXiv:2407.02240, melamed2024): targeted Auto-PGD (apgd.h) towards
/// the classes whose linearised boundary is nearest, instead of those of the largest logits. Of the
/// `candidates` most likely classes c but y, at x, with p the predicted class and q dual to the
/// norm:
///   score_c = (z_p − z_c) / ‖∇(z_c − z_y)‖_q
/// the `targets` of the smallest scores are aimed at in turn, by Auto-PGD on dlr_towards
/// (losses.h). Where there are no more candidates than targets the order saves time and changes
/// nothing else; it matters for data of 100 classes and more.
struct MaltOptions {
  Budget budget = {};
  int steps = 100;
  int targets = 9;
  int candidates = 100;
  double rho = 0.75;
  Automatic<bool> larger_epsilon = {};
  static constexpr auto fields() {
    using T = MaltOptions;
    return std::tuple{
        field("budget", &T::budget, ""),
        field("steps", &T::steps, "gradient steps towards each class", at_least(1)),
        field("targets", &T::targets, "classes to aim at; at most all but the own", at_least(1)),
        field("candidates", &T::candidates,
              "most likely classes that are ranked, one backward pass each", at_least(1)),
        field("rho", &T::rho,
              "the step is halved where at most this share of the steps raised the loss",
              between(0, 1)),
        field("larger_epsilon", &T::larger_epsilon,
              "first climb in balls of 3 and 2 epsilon (L1 only); auto: in L1, from 3 steps on")};
  }
};
NAMID_CHECK_FIELDS(MaltOptions);

/// One round a target.
constexpr int rounds(const MaltOptions& options, std::int64_t classes) {
  return static_cast<int>(
      std::min<std::int64_t>({options.targets, options.candidates, classes - 1}));
}

/// x: float32 (N, *input_shape) in [0,1]; y: int64 (N); at least 4 classes. Any misclassification
/// counts; the published code counts the target alone, and ranks classes of zero gradient first,
/// here last. Passes per sample and round: those of apgd() without EOT, and for the ranking 2
/// forwards and a backward for each candidate. OptionError before the first pass for unfit
/// arguments, and where the context has a loss or gradient of its own; NumericError;
/// run::Interrupted.
AttackResult malt(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                  const MaltOptions& options = {}, const Context& context = {});

/// The candidates in the order in which MALT aims at them, both (N, M): classes int64, scores
/// float64 (infinite where the gradient is 0). Ties: the likelier class first.
struct MaltRanking {
  at::Tensor classes, scores;
};
MaltRanking malt_ranking(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                         Norm norm, int candidates, const Context& context = {});

}  // namespace namid::attacks
