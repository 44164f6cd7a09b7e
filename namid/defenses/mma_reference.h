// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/defenses/base_loss.h"

namespace namid::defenses {

/// What the released code of NAMID calls MMA: x_adv by PGD of one epsilon for all images, and
///   L = (1/N) [ Σ_{argmax h(x) ≠ y} CE(h(x), y) + Σ_{argmax h(x) = y} CE(h(x_adv), y) ].
/// It estimates no margin; max-margin training (ding2020mma) is in mma.h. The predictions are those
/// of the same train-mode outputs. Deviation: the released code's attack in L2 takes the gradient
/// of a tensor that has nothing to do with the perturbation; here it is PGD in L2.
at::Tensor mma_reference_loss(const at::Tensor& natural, const at::Tensor& adversarial,
                              const at::Tensor& y);

/// The same as a base loss; forwards of x, then of x_adv.
BaseLoss mma_reference_base();

}  // namespace namid::defenses
