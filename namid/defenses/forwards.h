// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/defenses/objective.h"
#include "namid/models/batch_norm.h"

namespace namid::defenses {

/// `once`: by x and by x_adv, once each, in that order, as far as the loss reads them.
using models::BnUpdates;

/// What a training step says of one batch of images, each forward in the model's present mode.
struct View {
  at::Tensor logits;  ///< (N, classes)
  at::Tensor output;  ///< what the estimators' global nets read
  /// What the forward to the logits, and that to `output` where it is another one, showed to the
  /// BatchNorm layers; `reference` only.
  models::BatchStatistics to_logits, to_output;
};

/// One forward of x, and a second one where `layer` is an internal one. BnUpdates::once: the first
/// updates the BatchNorm statistics, the second does not; reference: none does, `replay` will.
View look(const Classifier& model, const at::Tensor& x, models::Layer layer, BnUpdates updates);

/// A forward of the released code: of which images, and to the logits or to what the estimators
/// read (the same where they read the logits).
enum class Forward { natural, adversarial, natural_output, adversarial_output };

/// Updates the statistics as these forwards would, in this order; after BnUpdates::once, when the
/// forwards themselves have done it, nothing.
void replay(const std::vector<Forward>& forwards, const View& natural, const View& adversarial);

}  // namespace namid::defenses
