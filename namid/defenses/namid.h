// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/defenses/base_loss.h"
#include "namid/mi/objectives.h"

namespace namid::defenses {

/// How the lambda term's batch means are clamped to [0, log(N−1)], outside of which their gradient
/// is zero. both: at both ends; one_sided: only where minimising runs away, MI_a at 0 from below
/// and MI_n at log(N−1) from above; off: not at all. The last two collapse; kept for comparison.
enum class LambdaClamp { both, one_sided, off };

/// NAMID, Zhou et al., ICML 2022, Eq. 8 and 9: L_all = L_adv + α L_mi,
/// L_mi = L_cos(E_n(h(x_adv)), E_n(h(x))) + L_cos(E_a(h(x_adv)), E_a(h(x)))
///        + λ [E_a(h(x_adv)) − E_n(h(x_adv))], over the samples S of Eq. 6.
/// Deviations, both well-defined forms of the paper's text: one cosine per batch over the vector of
/// scores (the paper's per-sample cosine of two scalars is ±1), and the clamp of the λ term.
struct NamidOptions {
  double alpha = 5;
  double lambda = 0.1;
  LambdaClamp lambda_clamp = LambdaClamp::both;
  mi::Cosine cosine = mi::Cosine::batch;
  mi::SelectionRule selection = mi::SelectionRule::argmax;
  mi::DvMask dv_mask = mi::DvMask::exclude;
  bool natural_term = true;
  bool adversarial_term = true;
  int mi_warmup = 2;
  bool mi_partial_batch = false;
  static constexpr auto fields() {
    return std::tuple{
        field("alpha", &NamidOptions::alpha, "weight of L_mi in L_all (Eq. 9)", at_least(0)),
        field("lambda", &NamidOptions::lambda, "weight of the score difference in L_mi (Eq. 8)",
              at_least(0)),
        field("lambda_clamp", &NamidOptions::lambda_clamp,
              "clamp of the lambda term's batch means to [0, log(N-1)]"),
        field("cosine", &NamidOptions::cosine, "form of the cosine terms"),
        field("selection", &NamidOptions::selection, "label rule of Eq. 6"),
        field("dv_mask", &NamidOptions::dv_mask, "how a sample is kept out of its own negatives"),
        field("natural_term", &NamidOptions::natural_term,
              "use the natural estimator (false: ablation ii)"),
        field("adversarial_term", &NamidOptions::adversarial_term,
              "use the adversarial estimator (false: ablation i)"),
        field("mi_warmup", &NamidOptions::mi_warmup, "epochs of the base loss alone", at_least(0)),
        field("mi_partial_batch", &NamidOptions::mi_partial_batch,
              "use the MI terms also on an epoch's last, smaller batch")};
  }
};
NAMID_CHECK_FIELDS(NamidOptions);

/// What the objective is bound to.
struct NamidSetting {
  mi::EstimatorPair estimators;  ///< frozen; one whose term is off may be empty
  NamidOptions options = {};
  BaseLoss base = cross_entropy_base();  ///< L_adv: NAMID; trades_base: NAMID_T; mart_base: NAMID_M
  std::int64_t full_batch = 0;           ///< smaller batches are partial ones
};

/// L_all for adversarial examples at hand: one forward of x and one of x_adv through the model in
/// its present mode, in that order, and of each a second one right after it where the estimators
/// read an internal layer, which leaves the BatchNorm statistics alone. Gradients of the MI terms
/// reach the model through the global nets alone; the estimators must be frozen (OptionError). The
/// scores of all other images of the batch are the negatives, selected or not.
/// λ c(mean_S MI_a(x_adv)) belongs to adversarial_term, −λ c(mean_S MI_n(x_adv)) to natural_term.
/// Nothing selected: L_mi = 0. One selected: no cosine. BnUpdates::reference: the forwards of the
/// released code, x_adv (CE), x, x_adv (labels), and unless nothing is selected x, x_adv (natural
/// term), x_adv, x (adversarial term).
/// Metrics besides loss, accuracy and adversarial_accuracy: base_loss, mi_loss, selected,
/// mi_empty (1: nothing selected), mi_single (1: one selected), mi_skipped (0), and unless empty,
/// for each term in use, cosine_natural and natural_score, cosine_adversarial and adversarial_score
/// (mean_S of MI(x_adv), nats), clamped (share of the λ terms outside the clamp, if λ > 0).
ObjectiveResult namid_loss(const Classifier& model, const Batch& batch, const at::Tensor& x_adv,
                           const NamidSetting& setting, BnUpdates updates = BnUpdates::once);

/// `namid_loss` on examples crafted as the base loss demands, one x_adv for both. Where
/// `mi_terms_join` says no it is the base loss alone (`adversarial`), with mi_skipped = 1.
ObjectiveResult namid(const Classifier& model, const Batch& batch, const StepOptions& step,
                      const NamidSetting& setting, const Context& context);

/// Whether the MI terms are part of this step: not in the first `mi_warmup` epochs, not on a batch
/// of fewer than `full_batch` samples (unless mi_partial_batch), not on one sample.
bool mi_terms_join(const NamidOptions& options, const Batch& batch, std::int64_t full_batch,
                   const Context& context);
/// The result of a step whose MI terms are left out: base_loss = loss, mi_loss 0, mi_skipped 1.
ObjectiveResult without_mi_terms(ObjectiveResult result);

/// OptionError, naming the section `where` and the estimator `name`, for one that is empty or not
/// frozen.
void check_frozen(const mi::Estimator& estimator, std::string_view where, std::string_view name);

}  // namespace namid::defenses

namespace namid {
template <>
struct EnumNames<defenses::LambdaClamp> {
  static constexpr std::array kNames{"both", "one-sided", "off"};
};
}  // namespace namid
