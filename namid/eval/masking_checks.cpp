// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/masking_checks.h"

#include <algorithm>

#include "namid/core/format.h"
#include "namid/core/statistics.h"

namespace namid::eval {
namespace {

/// What a check is called and says.
struct Words {
  const char* name;
  const char* found;    ///< meaning of warn and fail
  const char* nothing;  ///< meaning of pass
};

std::string in_percent(double share) {
  return str(shortest(100 * share), " %");
}

MaskingCheck concluded(const Words& words, CheckStatus status, MaskingCheck check,
                       const std::string& next) {
  check.name = words.name;
  check.status = status;
  const bool found = status != CheckStatus::pass;
  check.meaning = found ? words.found : words.nothing;
  if (found) check.run_next = next;
  return check;
}

/// `fails_above`: the gain that must surely be exceeded.
MaskingCheck compared(const Words& words, const PairedCounts& broken, double fails_above,
                      const std::string& next) {
  const auto test = mcnemar(broken, kMaskingConfidence);
  const auto missed = clopper_pearson(broken.only_first, broken.images, kMaskingConfidence);
  auto status = CheckStatus::pass;
  if (missed.low > kMaskingNoticed) status = CheckStatus::warn;
  if (test.conditional.low > fails_above) status = CheckStatus::fail;
  return concluded(
      words, status,
      {.name = {},
       .measured = {{"images", static_cast<double>(broken.images)},
                    {"only_other", static_cast<double>(broken.only_first)},
                    {"only_white_box", static_cast<double>(broken.only_second)},
                    {"gain", test.difference},
                    {"gain_lower", test.conditional.low},
                    {"gain_upper", test.conditional.high},
                    {"p_value", test.p_value}},
       .threshold = str("fails where the gain's lower limit is above ", in_percent(fails_above),
                        ", warns where that of only_other is above ", in_percent(kMaskingNoticed),
                        " of the images")},
      next);
}

CheckStatus by_share(std::int64_t count, const Interval& share, double fails_above) {
  if (share.low > fails_above) return CheckStatus::fail;
  return count > 0 ? CheckStatus::warn : CheckStatus::pass;
}

MaskingCheck counted(const Words& words, std::int64_t count, std::int64_t n, double fails_above,
                     const std::string& next) {
  const auto share = clopper_pearson(count, n, kMaskingConfidence);
  return concluded(words, by_share(count, share, fails_above),
                   {.name = {},
                    .measured = {{"images", static_cast<double>(n)},
                                 {"count", static_cast<double>(count)},
                                 {"share", static_cast<double>(count) / static_cast<double>(n)},
                                 {"share_lower", share.low},
                                 {"share_upper", share.high}},
                    .threshold = str("fails where the share's lower limit is above ",
                                     in_percent(fails_above), ", warns from one image on")},
                   next);
}

MaskingCheck moved_by(const Words& words, const Movement& moved, const std::string& next) {
  auto status = CheckStatus::pass;
  if (moved.logits > kMaskingMovedWarn) status = CheckStatus::warn;
  if (!(moved.logits <= kMaskingMovedFail)) status = CheckStatus::fail;  // NaN too
  return concluded(
      words, status,
      {.name = {},
       .measured = {{"images", static_cast<double>(moved.images)},
                    {"relative_movement", moved.logits},
                    {"classes_changed", static_cast<double>(moved.changed)}},
       .threshold = str("fails where the logits move by more than ", shortest(kMaskingMovedFail),
                        " of the largest, warns above ", shortest(kMaskingMovedWarn))},
      next);
}

}  // namespace

MaskingCheck check_black_box(const PairedCounts& broken, const std::string& next) {
  return compared({.name = "black_box_beats_white_box",
                   .found = "a random search breaks images that the gradient does not lead to: the "
                            "gradients mislead, and the white-box figure is too high",
                   .nothing = "gradients find what a random search finds"},
                  broken, 0, next);
}

MaskingCheck check_random(const PairedCounts& broken, const std::string& next) {
  return compared({.name = "random_beats_gradient",
                   .found = "random points of the ball break images that the gradient does not "
                            "lead to: the attack climbs nothing",
                   .nothing = "gradients find what random points find"},
                  broken, 0, next);
}

MaskingCheck check_transfer(const PairedCounts& broken, const std::string& next) {
  return compared({.name = "transfer_beats_white_box",
                   .found = "images made on the surrogate break the model where its own gradients "
                            "do not: those gradients are of no use",
                   .nothing = "the model's own gradients find what the surrogate's find"},
                  broken, 0, next);
}

MaskingCheck check_more_steps(const PairedCounts& broken, const std::string& next) {
  return compared({.name = "more_steps_still_gain",
                   .found = "the attack had not converged: its figure falls with more steps",
                   .nothing = "more steps break no more images: the attack has converged"},
                  broken, kMaskingWhiteBoxGain, next);
}

MaskingCheck check_other_loss(const PairedCounts& broken, const std::string& next) {
  return compared({.name = "other_loss_beats_white_box",
                   .found = "a loss that does not move with the scale of the logits breaks images "
                            "that the attack's loss does not: saturated logits hide its gradient",
                   .nothing = "a loss without scale finds no more"},
                  broken, kMaskingWhiteBoxGain, next);
}

MaskingCheck check_large_epsilon(std::int64_t survivors, std::int64_t n, double epsilon,
                                 const std::string& next) {
  auto check = counted({.name = "large_epsilon_is_survived",
                        .found = "images hold out where every image of the box is allowed, which "
                                 "no model does: the attack fails, not the image",
                        .nothing = "the attack breaks everything once it may change everything"},
                       survivors, n, kMaskingSurvivors, next);
  check.measured.emplace_back("epsilon", epsilon);
  return check;
}

MaskingCheck check_zero_gradient(std::int64_t zero, std::int64_t n, const std::string& next) {
  return counted({.name = "zero_gradient",
                  .found = "images have no gradient to follow: a gradient attack leaves them as "
                           "they are and calls them robust",
                  .nothing = "every image has a gradient to follow"},
                 zero, n, kMaskingZeroGradient, next);
}

MaskingCheck check_outputs_are_logits(const OutputRange& range, const std::string& next) {
  return concluded({.name = "outputs_are_probabilities",
                    .found = "the outputs are probabilities: losses take a second softmax of them "
                             "and their gradients fade",
                    .nothing = "the outputs are logits"},
                   range.probabilities() ? CheckStatus::fail : CheckStatus::pass,
                   {.name = {},
                    .measured = {{"lowest", range.lowest}, {"sum_error", range.sum_error}},
                    .threshold = "fails where no output is negative and every row sums to 1 within "
                                 "1e-4"},
                   next);
}

MaskingCheck check_stochastic(const Movement& moved, const std::string& next) {
  return moved_by({.name = "stochastic_forward",
                   .found = "the model draws random numbers: one pass says little, and a gradient "
                            "of one draw leads astray; average over draws (EOT)",
                   .nothing = "equal images give equal outputs"},
                  moved, next);
}

MaskingCheck check_batch_dependence(const Movement& moved, const std::string& next) {
  return moved_by({.name = "batch_dependent_output",
                   .found = "an image's output depends on its neighbours in the batch (BatchNorm "
                            "in train mode): there is no classifier to be robust; attack images "
                            "one by one, and export in eval mode",
                   .nothing = "an image's output does not depend on its neighbours"},
                  moved, next);
}

MaskingCheck skipped_check(std::string name, std::string why) {
  return {.name = std::move(name), .status = CheckStatus::skipped, .meaning = std::move(why)};
}

CheckStatus masking_verdict(const std::vector<MaskingCheck>& checks) {
  auto verdict = CheckStatus::pass;
  for (const auto& check : checks) {
    if (check.status == CheckStatus::fail) return CheckStatus::fail;
    if (check.status == CheckStatus::warn) verdict = CheckStatus::warn;
  }
  return verdict;
}

}  // namespace namid::eval
