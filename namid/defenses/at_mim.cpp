// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/at_mim.h"

#include "namid/mi/scalars.h"

namespace namid::defenses {

ObjectiveResult at_mim_loss(const Classifier& model, const Batch& batch, const at::Tensor& x_adv,
                            const AtMimSetting& setting) {
  validate(setting.options, "at_mim");
  const auto& estimator = setting.estimators.natural;
  check_frozen(estimator, "at_mim", "standard");
  const View adversarial = look(model, x_adv, setting.estimators.info.layer, BnUpdates::once);
  at::Tensor local;
  {
    const at::NoGradGuard no_grad;
    local = estimator.local_features(x_adv);
  }
  const at::Tensor base = at::cross_entropy_loss(adversarial.logits, batch.y);
  const at::Tensor mi = estimator.loss(local, adversarial.output, setting.shared.dv_mask).mean();
  const at::Tensor loss = base + setting.options.alpha * mi;
  return {loss,
          mi::read_scalars({{"loss", loss},
                            {"base_loss", base},
                            {"mi_loss", mi},
                            {"standard_score", -mi},
                            {"mi_skipped", at::zeros({})},
                            {"adversarial_accuracy", share_right(adversarial.logits, batch.y)}})};
}

ObjectiveResult at_mim(const Classifier& model, const Batch& batch, const PgdOptions& attack,
                       const AtMimSetting& setting, const Context& context) {
  if (mi_terms_join(setting.shared, batch, setting.full_batch, context))
    return at_mim_loss(model, batch, craft(model, batch, attack, context), setting);
  return without_mi_terms(standard(model, batch, attack, context));
}

}  // namespace namid::defenses
