// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "namid/attacks/attack.h"
#include "namid/attacks/rounds.h"

namespace namid::attacks {

// What attacks have in common that look for the smallest perturbation and know no ball.

/// What such a search found for the rows of a round, as an attack within a budget: x_adv as it is
/// where its norm, in float64, is at most epsilon; else moved into the ball, so that nothing at the
/// border is lost to a comparison. Success and loss (the margin; targeted: −margin of the target)
/// are those of a forward of the returned points by `logits`.
AttackResult within_budget(AttackResult found, const Round& round, const Budget& budget,
                           bool targeted,
                           const std::function<at::Tensor(const at::Tensor& x_adv)>& logits);

/// The dual norm, in which gradients are measured: l1 of linf, linf of l1, l2 of itself; l0 has
/// none.
constexpr Norm dual(Norm norm) {
  return norm == Norm::linf ? Norm::l1 : norm == Norm::l1 ? Norm::linf : Norm::l2;
}

}  // namespace namid::attacks
