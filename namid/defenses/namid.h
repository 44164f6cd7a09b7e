// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/defenses/objective.h"
#include "namid/mi/objectives.h"

namespace namid::defenses {

/// How the lambda term's batch means are clamped to [0, log(N−1)]: both, only the side that runs
/// away, or not at all (the last two collapse; kept for comparison).
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

/// One forward of x and one of x_adv through the model in its present mode, in that order;
/// estimators frozen. `full_batch`: the size of a full batch, to tell a partial one.
/// Metrics besides the common ones: mi_loss, base_loss, selected, clamped, cosine_natural,
/// cosine_adversarial, mi_empty (1 if nothing was selected).
ObjectiveResult namid(const Classifier& model, const Batch& batch, const PgdOptions& attack,
                      const mi::EstimatorPair& estimators, const NamidOptions& options,
                      std::int64_t full_batch, const Context& context);

}  // namespace namid::defenses

namespace namid {
template <>
struct EnumNames<defenses::LambdaClamp> {
  static constexpr std::array kNames{"both", "one-sided", "off"};
};
}  // namespace namid
