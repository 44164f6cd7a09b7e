// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/defenses/namid.h"

namespace namid::defenses {

/// The baseline "WMIM" of the NAMID paper's tables: standard adversarial training that also raises
/// the standard score of adversarial samples,
///   L = mean CE(h(x_adv), y) + α · mean ℓ_s(x_adv, x_adv),
/// ℓ_s the DV loss (−score) of an estimator trained with the objective `standard`, whose local
/// input is the adversarial image itself; frozen. The paper gives neither its α nor code for it.
struct AtMimOptions {
  double alpha = 0.1;
  static constexpr auto fields() {
    return std::tuple{
        field("alpha", &AtMimOptions::alpha, "weight of the standard score's loss", at_least(0))};
  }
};
NAMID_CHECK_FIELDS(AtMimOptions);

/// What the objective is bound to.
struct AtMimSetting {
  mi::EstimatorPair estimators;  ///< nets in `natural`, frozen; `adversarial` is not looked at
  AtMimOptions options = {};
  NamidOptions shared = {};     ///< dv_mask, mi_warmup and mi_partial_batch hold here as well
  std::int64_t full_batch = 0;  ///< smaller batches are partial ones
};

/// L for adversarial examples at hand: one forward of x_adv (a second one, which leaves BatchNorm
/// alone, where the estimator reads an internal layer). N ≥ 2. Metrics: loss, base_loss, mi_loss
/// (mean ℓ_s), standard_score (−mi_loss), adversarial_accuracy, mi_skipped (0).
ObjectiveResult at_mim_loss(const Classifier& model, const Batch& batch, const at::Tensor& x_adv,
                            const AtMimSetting& setting);

/// The same on crafted examples; where `mi_terms_join` says no, `standard` with mi_skipped = 1.
ObjectiveResult at_mim(const Classifier& model, const Batch& batch, const PgdOptions& attack,
                       const AtMimSetting& setting, const Context& context);

}  // namespace namid::defenses
