// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/losses.h"
#include "namid/defenses/forwards.h"

namespace namid::defenses {

/// L_adv of Eq. 9 and all that goes with it: what NAMID is added to, and a defence by itself.
struct BaseLoss {
  /// (h(x), h(x_adv), y) → scalar, a pure function; gradients flow into both logits.
  std::function<at::Tensor(const at::Tensor& natural, const at::Tensor& adversarial,
                           const at::Tensor& y)>
      loss;
  /// false: the loss does not read h(x), which may then be undefined and is not computed.
  bool reads_natural = true;
  attacks::AttackLoss ascended = attacks::AttackLoss::cross_entropy;  ///< by the training attack
  std::vector<Forward> reference_forwards = {};                       ///< of the released code
};

/// Mean cross-entropy on x_adv: standard adversarial training (madry2018).
BaseLoss cross_entropy_base();

/// What every adversarial defence needs for a step besides its loss.
struct StepOptions {
  PgdOptions attack = {};
  BnUpdates bn_updates = BnUpdates::once;
};

/// `attack`, climbing `ascended`. OptionError where it was told to climb something else.
PgdOptions attack_for(attacks::AttackLoss ascended, const PgdOptions& attack);

/// The base loss alone, on examples at hand: one forward of x (if the loss reads it), then one of
/// x_adv. Metrics: loss, accuracy (if it reads x), adversarial_accuracy.
ObjectiveResult base_loss_on(const Classifier& model, const Batch& batch, const at::Tensor& x_adv,
                             const BaseLoss& base, BnUpdates updates = BnUpdates::once);

/// The same on examples crafted by PGD with the model in eval mode: a whole training step.
ObjectiveResult adversarial(const Classifier& model, const Batch& batch, const StepOptions& step,
                            const BaseLoss& base, const Context& context);

}  // namespace namid::defenses
