// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/objectives.h"

#include "namid/mi/scalars.h"

namespace namid::mi {
namespace {

/// Mean over locations, then over `rows` (all where undefined).
at::Tensor mean_loss(const at::Tensor& loss, const at::Tensor& rows) {
  return (rows.defined() ? loss.index_select(0, rows) : loss).mean();
}

/// Eq. 5 for one estimator: mean_S ℓ(own) + mean_S max(−ℓ(other), 0).
at::Tensor contrast(const at::Tensor& own, const at::Tensor& other, const at::Tensor& rows) {
  const at::Tensor excess = other.index_select(0, rows).mean(1).neg().clamp_min(0).mean();
  return mean_loss(own, rows) + excess;
}

}  // namespace

EstimationLoss estimation_loss(const EstimatorPair& estimators, const EstimationBatch& batch,
                               EstimationObjective objective, SelectionRule selection,
                               DvMask mask) {
  const auto rows =
      rows_of(select(batch.logits_natural, batch.logits_adversarial, batch.y, selection));
  EstimationLoss result;
  result.metrics["selected"] = static_cast<double>(rows.size(0));
  const bool contrasts = objective == EstimationObjective::selected;
  if (batch.y.size(0) < 2 || (contrasts && rows.size(0) == 0)) return result;

  const auto& [natural, adversarial, info] = estimators;
  const auto local_n = natural.local_features(batch.x);
  const auto local_a = adversarial.local_features(batch.x_adv - batch.x);
  const auto own_n = natural.loss(local_n, batch.output_natural, mask);
  const auto own_a = adversarial.loss(local_a, batch.output_adversarial, mask);
  const at::Tensor used = contrasts ? rows : at::Tensor();
  if (contrasts) {
    result.natural = contrast(own_n, natural.loss(local_n, batch.output_adversarial, mask), rows);
    result.adversarial =
        contrast(own_a, adversarial.loss(local_a, batch.output_natural, mask), rows);
  } else {
    result.natural = own_n.mean();
    result.adversarial = own_a.mean();
  }
  result.metrics.merge(read_scalars({{"natural_score", -mean_loss(own_n, used)},
                                     {"adversarial_score", -mean_loss(own_a, used)}}));
  return result;
}

Metrics mean_scores(const EstimatorPair& estimators, const EstimationBatch& batch,
                    SelectionRule selection, DvMask mask) {
  const at::NoGradGuard no_grad;
  const auto rows =
      rows_of(select(batch.logits_natural, batch.logits_adversarial, batch.y, selection));
  Metrics metrics{{"selected", static_cast<double>(rows.size(0))}};
  if (batch.y.size(0) < 2) return metrics;

  const auto& [natural, adversarial, info] = estimators;
  const auto local_n = natural.local_features(batch.x);
  const auto local_a = adversarial.local_features(batch.x_adv - batch.x);
  const Scalars losses{
      {"natural_on_natural", natural.loss(local_n, batch.output_natural, mask)},
      {"natural_on_adversarial", natural.loss(local_n, batch.output_adversarial, mask)},
      {"adversarial_on_natural", adversarial.loss(local_a, batch.output_natural, mask)},
      {"adversarial_on_adversarial", adversarial.loss(local_a, batch.output_adversarial, mask)}};
  Scalars scores;
  for (const auto& [name, loss] : losses) {
    scores.emplace_back(name, -loss.mean());
    if (rows.size(0) > 0) scores.emplace_back(name + "_selected", -mean_loss(loss, rows));
  }
  metrics.merge(read_scalars(scores));
  return metrics;
}

}  // namespace namid::mi
