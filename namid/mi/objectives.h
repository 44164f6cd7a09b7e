// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/mi/cosine.h"
#include "namid/mi/estimator.h"
#include "namid/mi/selection.h"
#include "namid/run/metrics.h"

namespace namid::mi {

/// What the estimators are trained for. separate: Eq. 4, E_n on natural and E_a on adversarial
/// samples, unfiltered; selected: Eq. 5, on the samples of Eq. 6, minus the score of the other
/// sample type.
enum class EstimationObjective { separate, selected };

/// A batch as the estimators see it; logits are of the frozen target in eval mode, without
/// gradient.
struct EstimationBatch {
  at::Tensor x, x_adv;                            ///< (N, C, H, W)
  at::Tensor output_natural, output_adversarial;  ///< target's layer that the global nets read
  at::Tensor logits_natural, logits_adversarial;  ///< (N, classes), for the selection
  at::Tensor y;                                   ///< (N)
};

/// Losses to minimise: one for the natural pair of nets, one for the adversarial pair. Undefined
/// tensors where the step is to be skipped (nothing selected in Eq. 5, N < 2); then no net ran.
/// Metrics: natural_score, adversarial_score (−loss of their own sample type, mean over the samples
/// trained on; absent where skipped), selected (samples of Eq. 6, counted for both objectives).
struct EstimationLoss {
  at::Tensor natural, adversarial;
  Metrics metrics;
};

/// Eq. 4 and Eq. 5. In Eq. 5 the subtracted term is clamped per sample:
///   mean_S ℓ_n(x, x)     + mean_S max(−ℓ_n(x, x_adv), 0) and
///   mean_S ℓ_a(d, x_adv) + mean_S max(−ℓ_a(d, x), 0), d = x_adv − x,
/// since the subtracted score must not run to minus infinity. Negatives are all other images of
/// the batch, selected or not. Each local net runs once, each global net once per output it needs
/// (own sample type first): so often its BatchNorm statistics are updated.
EstimationLoss estimation_loss(const EstimatorPair& estimators, const EstimationBatch& batch,
                               EstimationObjective objective,
                               SelectionRule selection = SelectionRule::argmax,
                               DvMask mask = DvMask::exclude);

/// Mean scores (−ℓ, nats) over a batch, no gradient, nets as they are: ℓ_n(x,x), ℓ_n(x,x_adv),
/// ℓ_a(d,x), ℓ_a(d,x_adv) under the names natural_on_natural, natural_on_adversarial,
/// adversarial_on_natural, adversarial_on_adversarial; over all samples, and over the selected ones
/// with the suffix _selected (absent if none), and their count "selected" (nothing else for N < 2).
Metrics mean_scores(const EstimatorPair& estimators, const EstimationBatch& batch,
                    SelectionRule selection = SelectionRule::argmax, DvMask mask = DvMask::exclude);

}  // namespace namid::mi

namespace namid {
template <>
struct EnumNames<mi::EstimationObjective> {
  static constexpr std::array kNames{"separate", "selected"};
};
}  // namespace namid
