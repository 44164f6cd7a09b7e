// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/mi/cosine.h"
#include "namid/mi/estimator.h"
#include "namid/mi/selection.h"
#include "namid/models/batch_norm.h"
#include "namid/run/metrics.h"

namespace namid::mi {

/// What the estimators are trained for. ℓ_n(a, b): natural estimator, local input a, target's
/// output on b; ℓ_a: adversarial one, local input d = x_adv − x. All are minimised.
/// separate: Eq. 4, mean ℓ_n(x, x) and mean ℓ_a(d, x_adv). selected: Eq. 5, on the samples S of
/// Eq. 6, minus the score of the other sample type (Contrast). standard: mean ℓ(x_adv, x_adv), for
/// WMIM. natural: mean ℓ(x, x), x_adv not needed, for the paper's Fig. 2. The last two train one
/// pair of nets, EstimatorPair::natural.
enum class EstimationObjective { separate, selected, standard, natural };

/// Which samples Eq. 4 is a mean over. none: all. reference (released code): for ℓ_n those right on
/// x, for ℓ_a those not right on x_adv; all where there are none.
enum class SelectEq4 { none, reference };

/// How Eq. 5 subtracts the other sample type's score.
/// difference: mean_S ℓ_n(x, x)     + mean_S max(−ℓ_n(x, x_adv), 0) and
///             mean_S ℓ_a(d, x_adv) + mean_S max(−ℓ_a(d, x), 0),
/// clamped per sample, since a subtracted score must not run to minus infinity.
/// cosine (released code, which subtracts nothing). A: right on x; of these R right and W wrong on
/// x_adv (W = S); cos over the vector of a set's losses; a sum over no sample is 0:
///   natural:     L_W + ½ L_R,  L_W = 5 |cos_W(ℓ_n(x,x), ℓ_n(x,x_adv))| + Σ_W ℓ_n(x,x) / |A|
///                              L_R = 5 |1 − cos_R(ℓ_n(x,x), ℓ_n(x,x_adv))| + Σ_R ℓ_n(x,x) / |A|
///   adversarial: M_W + ½ M_R,  M_W = 5 |cos_W(ℓ_a(d,x_adv), ℓ_a(d,x))| + mean_W ℓ_a(d,x_adv)
///                              M_R = 8 |1 − cos_R(ℓ_a(d,x), ℓ_a(d,x_adv))| − mean_R
///                              ℓ_a(d,x_adv)/10
/// and mean ℓ_n(x,x), mean ℓ_a(d,x_adv) over all samples where A is empty.
enum class Contrast { difference, cosine };

/// For nets in train mode. once: each local net runs once, each global net once per output it needs
/// (own sample type first). reference: every ℓ that a formula names is a forward of its own; with
/// Contrast::cosine six for E_n (L_R first) and four for E_a (M_W first) where R and W have
/// samples.
using models::BnUpdates;

/// How a batch becomes losses.
struct EstimationRules {
  EstimationObjective objective = EstimationObjective::selected;
  SelectionRule selection = SelectionRule::argmax;
  DvMask dv_mask = DvMask::exclude;
  SelectEq4 select_eq4 = SelectEq4::none;
  Contrast contrast = Contrast::difference;
  BnUpdates bn_updates = BnUpdates::once;
  static constexpr auto fields() {
    using T = EstimationRules;
    return std::tuple{
        field("objective", &T::objective,
              "separate: Eq. 4; selected: Eq. 5; standard: for WMIM; natural: x alone"),
        field("selection", &T::selection, "label rule of Eq. 6"),
        field("dv_mask", &T::dv_mask, "how a sample is kept out of its own negatives"),
        field("select_eq4", &T::select_eq4, "samples of Eq. 4: all, or those of the released code"),
        field("contrast", &T::contrast, "how Eq. 5 subtracts the other sample type's score"),
        field("bn_updates", &T::bn_updates,
              "BatchNorm updates of the estimators: once, or per term as in the released code")};
  }
};
NAMID_CHECK_FIELDS(EstimationRules);

/// A batch as the estimators see it; outputs and logits are of the frozen target in eval mode,
/// without gradient. For the objective `natural` everything adversarial may be undefined.
struct EstimationBatch {
  at::Tensor x, x_adv;                            ///< (N, C, H, W)
  at::Tensor output_natural, output_adversarial;  ///< target's layer that the global nets read
  at::Tensor logits_natural, logits_adversarial;  ///< (N, classes), for the selection
  at::Tensor y;                                   ///< (N)
};

/// Losses to minimise: one for the natural pair of nets, one for the adversarial pair (undefined
/// for one pair). Both undefined where the step is to be skipped (nothing selected in Eq. 5 with
/// Contrast::difference, N < 2); then no net ran. Metrics: natural_score, adversarial_score (−loss
/// of their own sample type, mean over the samples whose score is raised; absent where there are
/// none; standard_score for `standard`), selected and right (sizes of S and R, for every objective
/// but `natural`).
struct EstimationLoss {
  at::Tensor natural, adversarial;
  Metrics metrics;
};

/// The losses of a batch. Negatives are all other images of the batch, selected or not.
EstimationLoss estimation_loss(const EstimatorPair& estimators, const EstimationBatch& batch,
                               const EstimationRules& rules = {});

/// Mean scores (−ℓ, nats) over a batch, no gradient, nets as they are: ℓ_n(x,x), ℓ_n(x,x_adv),
/// ℓ_a(d,x), ℓ_a(d,x_adv) under the names natural_on_natural, natural_on_adversarial,
/// adversarial_on_natural, adversarial_on_adversarial; of a single pair of nets the first two and
/// ℓ(x_adv,x_adv), standard_on_adversarial. Over all samples, and with the suffixes _selected and
/// _right over S and R (absent if empty), beside the sizes `selected` and `right` of these sets
/// (nothing else for N < 2).
Metrics mean_scores(const EstimatorPair& estimators, const EstimationBatch& batch,
                    SelectionRule selection = SelectionRule::argmax, DvMask mask = DvMask::exclude);

}  // namespace namid::mi

namespace namid {
template <>
struct EnumNames<mi::EstimationObjective> {
  static constexpr std::array kNames{"separate", "selected", "standard", "natural"};
};
template <>
struct EnumNames<mi::SelectEq4> {
  static constexpr std::array kNames{"none", "reference"};
};
template <>
struct EnumNames<mi::Contrast> {
  static constexpr std::array kNames{"difference", "cosine"};
};
}  // namespace namid
