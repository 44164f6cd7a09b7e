// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/minimum_norm.h"

#include "namid/attacks/gradient.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/projection.h"

namespace namid::attacks {

AttackResult within_budget(AttackResult found, const Round& round, const Budget& budget,
                           bool targeted,
                           const std::function<at::Tensor(const at::Tensor& x_adv)>& logits) {
  const auto inside = perturbation_norms(found.x_adv, round.x, budget.norm) <= budget.epsilon;
  found.x_adv =
      at::where(per_sample(inside, round.x), found.x_adv, project(found.x_adv, round.x, budget));
  const auto z = logits(found.x_adv);
  found.success = fooled(z, round.y, targeted);
  const auto margin = attack_loss(AttackLoss::margin, z, round.y);
  found.loss = targeted ? -margin : margin;
  return found;
}

}  // namespace namid::attacks
