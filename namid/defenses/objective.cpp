// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/objective.h"

#include "namid/defenses/base_loss.h"
#include "namid/mi/scalars.h"

namespace namid::defenses {

at::Tensor share_right(const at::Tensor& logits, const at::Tensor& y) {
  return logits.detach().argmax(1).eq(y).to(at::kDouble).mean();
}

ObjectiveResult natural(const Classifier& model, const Batch& batch) {
  const at::Tensor logits = model(batch.x);
  const at::Tensor loss = at::cross_entropy_loss(logits, batch.y);
  return {loss, mi::read_scalars({{"loss", loss}, {"accuracy", share_right(logits, batch.y)}})};
}

at::Tensor craft(const Classifier& model, const Batch& batch, const PgdOptions& attack,
                 const Context& context) {
  PgdOptions options = attack;
  options.judge = attacks::Judge::last;
  Context own = context;
  own.verdict = false;
  if (own.ids.empty()) own.ids = batch.ids;
  return attacks::pgd(model, batch.x, batch.y, options, own).x_adv;
}

ObjectiveResult standard(const Classifier& model, const Batch& batch, const PgdOptions& attack,
                         const Context& context) {
  return adversarial(model, batch, {.attack = attack}, cross_entropy_base(), context);
}

}  // namespace namid::defenses
