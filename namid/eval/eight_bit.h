// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "namid/eval/verifier.h"

namespace namid::eval {

/// An adversarial image is float32; stored as a picture it has 256 values k / 255 per entry. For
/// each sample, the 8-bit image near x_adv inside ball and box, k as uint8 shaped like x.
/// Every entry is rounded to the nearest value (never cut off), then moved back into the ball:
/// - L∞: entry by entry to the nearest value that allowed_norm permits: the nearest 8-bit image.
/// - L2, L1: entries that rounding moved away from x go to the value on x's side instead, those
///   first that shorten ‖· − x‖ₚᵖ most per squared distance to x_adv that they cost, until the ball
///   holds the image. A greedy choice (the exact one is a knapsack problem): in L2 not always the
///   nearest image.
/// Where x is itself of 8 bits and x_adv is in the ball, the image is inside: an entry between x
/// and x_adv is no further from x than x_adv. Else it may not be (there need not be one that is).
/// Wasserstein: the nearest values, in the ball or not. NaN counts as x's value. x, x_adv: float32
/// (N, ...), on any device; the result is on the CPU.
at::Tensor nearest_eight_bit(const at::Tensor& x, const at::Tensor& x_adv,
                             const attacks::Budget& budget);

/// `verify`, and Verdict::eight_bit by a second forward, of the 8-bit images. Verdicts are those of
/// `verify`. In a Wasserstein ball only an x_adv that is itself of 8 bits is inside: rounding makes
/// and loses mass, and no plan is sought for another image.
std::vector<Verdict> verify_with_eight_bit(const models::Classifier& model, const at::Tensor& x,
                                           const Claimed& claimed, const at::Tensor& y,
                                           const attacks::Budget& budget, int draws = 1);

}  // namespace namid::eval
