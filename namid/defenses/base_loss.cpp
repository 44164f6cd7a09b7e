// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/base_loss.h"

#include "namid/core/error.h"
#include "namid/mi/scalars.h"

namespace namid::defenses {

using attacks::AttackLoss;

BaseLoss cross_entropy_base() {
  return {.loss = [](const at::Tensor&, const at::Tensor& adversarial,
                     const at::Tensor& y) { return at::cross_entropy_loss(adversarial, y); },
          .reads_natural = false,
          .reference_forwards = {Forward::adversarial}};
}

PgdOptions attack_for(AttackLoss ascended, const PgdOptions& attack) {
  PgdOptions own = attack;
  if (ascended == AttackLoss::cross_entropy) return own;
  if (attack.loss != AttackLoss::cross_entropy && attack.loss != ascended)
    throw OptionError(str("[attack] loss: expected ", to_string(ascended),
                          ", which this defence ascends, got ", to_string(attack.loss),
                          "; leave it out"));
  own.loss = ascended;
  return own;
}

ObjectiveResult base_loss_on(const Classifier& model, const Batch& batch, const at::Tensor& x_adv,
                             const BaseLoss& base, BnUpdates updates) {
  constexpr auto kLogits = models::Layer::logits;
  const View natural = base.reads_natural ? look(model, batch.x, kLogits, updates) : View();
  const View adversarial = look(model, x_adv, kLogits, updates);
  replay(base.reference_forwards, natural, adversarial);

  const at::Tensor loss = base.loss(natural.logits, adversarial.logits, batch.y);
  mi::Scalars numbers{{"loss", loss},
                      {"adversarial_accuracy", share_right(adversarial.logits, batch.y)}};
  if (base.reads_natural) numbers.emplace_back("accuracy", share_right(natural.logits, batch.y));
  return {loss, mi::read_scalars(numbers)};
}

ObjectiveResult adversarial(const Classifier& model, const Batch& batch, const StepOptions& step,
                            const BaseLoss& base, const Context& context) {
  const auto attack = attack_for(base.ascended, step.attack);
  return base_loss_on(model, batch, craft(model, batch, attack, context), base, step.bn_updates);
}

}  // namespace namid::defenses
