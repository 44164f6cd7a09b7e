// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/attack.h"
#include "namid/attacks/compat.h"
#include "namid/attacks/losses.h"

namespace namid::attacks {

/// Where windows lie, and in L2 and L1 whether η is turned. per_sample: drawn for each sample;
/// shared: drawn from (seed, attack, round, iteration) alone, so that all samples of any batch have
/// the same windows; the start and the signs stay those of the sample.
enum class Windows { per_sample, shared };

/// Square attack, Andriushchenko et al. 2020 (arXiv:1912.00049), Algorithm 1: random search that
/// changes one window of pixels per query and keeps what raises the loss. Uses no gradient.
struct SquareOptions {
  Budget budget = {};
  int queries = 5000;
  double p_init = 0.8;
  int restarts = 1;
  AttackLoss loss = AttackLoss::margin;
  bool rescale_schedule = false;
  Windows windows = Windows::per_sample;
  bool targeted = false;
  Compat compat = Compat::none;
  static constexpr auto fields() {
    return std::tuple{
        field("budget", &SquareOptions::budget, ""),
        field("queries", &SquareOptions::queries, "forward passes per sample and restart",
              between(1, 10'000'000)),
        field("p_init", &SquareOptions::p_init, "share of the pixels in the first windows",
              Range{.low = 0, .high = 1, .open_low = true}),
        field("restarts", &SquareOptions::restarts,
              "runs from fresh starts, each on what is not fooled yet", at_least(1)),
        field("loss", &SquareOptions::loss, "loss that is maximised"),
        field("rescale_schedule", &SquareOptions::rescale_schedule,
              "stretch the schedule of window sizes, made for 10000 queries, to `queries`"),
        field("windows", &SquareOptions::windows,
              "window of each sample's own, or one for all samples of an iteration"),
        field("targeted", &SquareOptions::targeted,
              "y holds target classes, towards which x moves"),
        field("compat", &SquareOptions::compat, "repeat the oddities of the AutoAttack code")};
  }
};
NAMID_CHECK_FIELDS(SquareOptions);

/// Rounds (rounds.h) that the attack takes on a model of that many classes.
constexpr int rounds(const SquareOptions& options, std::int64_t /*classes*/ = 0) {
  return options.restarts;
}

/// x: float32 (N, *input_shape) in [0,1]; y: int64 (N). Any shape: the last two dimensions are
/// height and width, those before them channels; vectors are 1 x 1 x d.
///
/// Query 0 is x itself, query 1 the start, query 2 + i proposal i = 0, 1, ... with a window of
/// share p of the pixels (square_share, square_window in square_eta.h), δ = x_adv − x:
/// L∞ (Algorithm 2): start x + ε (±1 per channel and column); in the window ±2ε per channel is
///   added to the best point and the sum clipped to ball and box, so that it lies on their border.
/// L2 (Algorithm 3): start: tiles of ±η, scaled to norm ε. Windows 1 and 2: per channel window 1
///   becomes ±η + δ₁/‖δ₁‖, scaled so that what the box leaves of it has norm ‖δ on both windows‖;
///   window 2, outside window 1, becomes 0; δ is scaled to norm ε and x + δ clipped to the box.
/// L1 (Croce & Hein 2021, arXiv:2103.01208): start: tiles of ±η, projected onto ball and box. As L2
///   with L1 norms and eta, the window scaled to (max(ε − ‖δ‖₁, 0) / C + ‖δ on both‖₁) C; then
///   projection onto ball and box. The factor C overshoots, so that the projection sparsifies.
/// η is turned by 90 degrees with probability ½. A proposal is kept where it raises the loss or
/// fools. Once it fools, a sample is frozen. Ties: a sample is fooled only where argmax says so.
///
/// Returns that point, else of x and the last point kept the one of the higher loss; inside ball
/// and box. `step` is the query that gave it. `forwards`: queries until the sample was fooled, else
/// all; `queries` bounds it, per restart. An epsilon of 0 takes one query and gives x bit for bit.
/// Targeted: the loss is −loss(logits, target).
/// Deviations from the paper: window 1 has its norm in L2 inside the box, and what the box cut off
/// before, max(ε² − ‖δ‖², 0), is returned to all of δ, not to window 1 alone, where it would
/// outweigh what earlier queries found (docs/comparison.md has what that gains); query 0; schedule
/// on raw iterations unless `rescale_schedule`, with a step at 500; window positions are uniform
/// over all that fit and tiles cover the image, last row and column included; s ≤ min(H, W); on
/// vectors segments; tiles of unequal size where 5 does not divide H or W.
///
/// compat = autoattack, for parity with the code of 2023 (with Context::sequential, and rows that
/// leave when fooled (context.compact), also its draws):
/// 1. position ⌊U (H − s)⌋: the last row and column are reached by windows of full size alone;
/// 2. one window, in L2 and L1 its turn and in L∞ its signs too, for the whole batch;
/// 3. a sample whose margin is exactly 0 is no longer attacked, though argmax may still be y;
/// 4. tiles of s = ⌊H/5⌋ from ⌊(H − 5s)/2⌋ on, the rim uncovered: OptionError in L2 and L1 for
///    images that are not square or smaller than 5; L1 radius ε (1 − 1e-6);
/// 5. `queries` counts proposals: x and start come on top;
/// 6. in L2 window 1 gets norm √(max(ε² − ‖δ‖², 0) / C + ‖δ on both windows‖²) before the box cuts
///   it, as in the paper.
///
/// With shared windows in L∞ a compiled model (engine/compile.h) computes of a proposal what the
/// window reaches (windowed_model.h): equal results, bit for bit; `forwards` counts proposals. It
/// takes a forward more where rows have left the batch and where the window's size has changed.
///
/// context.observe gets round · queries + query and the mean best loss of the samples attacked.
/// context.gradient is not used. OptionError before the first pass for unfit arguments;
/// NumericError for logits or loss that are not finite; run::Interrupted.
AttackResult square(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                    const SquareOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks

namespace namid {
template <>
struct EnumNames<attacks::Windows> {
  static constexpr std::array kNames{"per_sample", "shared"};
};
}  // namespace namid
