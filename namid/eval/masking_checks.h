// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "namid/core/options.h"
#include "namid/core/paired_tests.h"

namespace namid::eval {

// Signs that a model hides its gradients instead of being robust, from measured numbers alone:
// Carlini et al. 2019 (arXiv:1902.06705, carlini2019evaluating), Sec. 5; Athalye et al. 2018
// (arXiv:1802.00420, athalye2018obfuscated), Sec. 3.1; Tramèr et al. 2020 (arXiv:2002.08347,
// tramer2020adaptive); Pintor et al. 2022 (arXiv:2106.09947, pintor2022indicators). The white-box
// attack is the one whose figure is in question.

/// skipped: not measured, `meaning` says why.
enum class CheckStatus { pass, warn, fail, skipped };

struct MaskingCheck {
  std::string name;  ///< "black_box_beats_white_box"
  CheckStatus status = CheckStatus::pass;
  std::vector<std::pair<std::string, double>> measured = {};
  std::string threshold = {};  ///< what warns and what fails
  std::string meaning = {};    ///< of this outcome, in a sentence
  std::string run_next = {};   ///< a command line; empty where nothing is to be done
};

/// Level of every interval: each end is left out with probability 1 %, so that a comparison fails
/// an honest model with probability at most 1 %.
inline constexpr double kMaskingConfidence = 0.98;
/// Share of the images that a comparison may win surely before it warns. Single images near the
/// boundary go to either attack by chance.
inline constexpr double kMaskingNoticed = 0.01;
/// Share that another white-box attack may win surely before it fails. Models whose gradients are
/// sound lose some: TRADES 3.4 points from its authors' PGD-20 to AutoAttack (Croce & Hein 2020,
/// arXiv:2003.01690, Table 2).
inline constexpr double kMaskingWhiteBoxGain = 0.05;
/// Share of images without gradient before it fails: cross-entropy of float32 vanishes for an image
/// whose logits are more than 104 apart, which honest models give a few.
inline constexpr double kMaskingZeroGradient = 0.05;
/// Share of images that survive in a ball that holds the whole box before it fails.
inline constexpr double kMaskingSurvivors = 0.01;
/// Movement of the logits, relative to their largest size: above the first a warning, above the
/// second what `evaluate` refuses (guard_rails.h). Rounding moves them by about 1e-6.
inline constexpr double kMaskingMovedWarn = 1e-4, kMaskingMovedFail = 1e-3;

// Comparisons: `broken` counts images that only the other attack broke (only_first) and that only
// the white-box attack broke (only_second), of `images` attacked by both. The gain is their
// difference over images, with the exact paired interval (mcnemar, conditional). An attack without
// gradients fails a model where the gain is surely above 0, another white-box attack where it is
// surely above 5 %. Both warn where the other attack surely breaks more than 1 % of the images that
// the white-box attack missed. `next`: the command line that shows it.

/// Square, without gradients, against the white-box attack.
MaskingCheck check_black_box(const PairedCounts& broken, const std::string& next);
/// Random points of the ball against the white-box attack.
MaskingCheck check_random(const PairedCounts& broken, const std::string& next);
/// The white-box attack on another model, judged by this one.
MaskingCheck check_transfer(const PairedCounts& broken, const std::string& next);
/// The same with several times the steps: an attack that has not converged.
MaskingCheck check_more_steps(const PairedCounts& broken, const std::string& next);
/// Auto-PGD on a loss that does not move with the scale of the logits.
MaskingCheck check_other_loss(const PairedCounts& broken, const std::string& next);

/// `survivors` of `n` images that the white-box attack breaks neither at epsilon nor in a ball that
/// holds the whole box, where every model can be broken. Warns for one, fails where the lower
/// Clopper-Pearson limit of the share is above 1 %.
MaskingCheck check_large_epsilon(std::int64_t survivors, std::int64_t n, double epsilon,
                                 const std::string& next);

/// `zero` of `n` images have an input gradient of exactly 0, at the image and at a random point of
/// the ball. Warns for one, fails where the lower limit of the share is above 5 %.
MaskingCheck check_zero_gradient(std::int64_t zero, std::int64_t n, const std::string& next);

/// The outputs of a batch: smallest entry, and how far the worst row's sum is from 1.
struct OutputRange {
  double lowest = 0, sum_error = 0;
  /// No entry negative, all sums 1 within 1e-4.
  bool probabilities() const { return lowest >= 0 && sum_error <= 1e-4; }
};
MaskingCheck check_outputs_are_logits(const OutputRange& range, const std::string& next);

/// How far the logits of the same images move when something irrelevant changes.
struct Movement {
  double logits = 0;         ///< largest movement, relative to the largest logit
  std::int64_t changed = 0;  ///< images whose class changes
  std::int64_t images = 0;   ///< looked at
};
/// Between passes of the same batch.
MaskingCheck check_stochastic(const Movement& moved, const std::string& next);
/// Between the whole batch and copies of the image alone.
MaskingCheck check_batch_dependence(const Movement& moved, const std::string& next);

/// A check that was not made.
MaskingCheck skipped_check(std::string name, std::string why);

/// fail where a check fails, else warn where one warns, else pass.
CheckStatus masking_verdict(const std::vector<MaskingCheck>& checks);

}  // namespace namid::eval

namespace namid {
template <>
struct EnumNames<eval::CheckStatus> {
  static constexpr std::array kNames{"pass", "warn", "fail", "skipped"};
};
}  // namespace namid
