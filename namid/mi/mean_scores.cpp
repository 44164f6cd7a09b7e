// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/objectives.h"
#include "namid/mi/scalars.h"

namespace namid::mi {
namespace {

/// ℓ by name, per sample.
Scalars all_losses(const EstimatorPair& estimators, const EstimationBatch& batch, DvMask mask) {
  const auto& [natural, adversarial, info] = estimators;
  const auto loss = [&](const Estimator& estimator, const at::Tensor& local,
                        const at::Tensor& output) {
    return estimator.loss(local, output, mask).mean(1);
  };
  const auto local_n = natural.local_features(batch.x);
  Scalars losses{{"natural_on_natural", loss(natural, local_n, batch.output_natural)},
                 {"natural_on_adversarial", loss(natural, local_n, batch.output_adversarial)}};
  if (!adversarial.defined()) {
    losses.emplace_back(
        "standard_on_adversarial",
        loss(natural, natural.local_features(batch.x_adv), batch.output_adversarial));
    return losses;
  }
  const auto local_a = adversarial.local_features(batch.x_adv - batch.x);
  losses.emplace_back("adversarial_on_natural", loss(adversarial, local_a, batch.output_natural));
  losses.emplace_back("adversarial_on_adversarial",
                      loss(adversarial, local_a, batch.output_adversarial));
  return losses;
}

}  // namespace

Metrics mean_scores(const EstimatorPair& estimators, const EstimationBatch& batch,
                    SelectionRule selection, DvMask mask) {
  const at::NoGradGuard no_grad;
  const std::array<std::pair<std::string, at::Tensor>, 2> sets{
      {{"selected",
        rows_of(select(batch.logits_natural, batch.logits_adversarial, batch.y, selection))},
       {"right", rows_of(select_right(batch.logits_natural, batch.logits_adversarial, batch.y,
                                      selection))}}};
  Metrics metrics;
  for (const auto& [name, rows] : sets) metrics[name] = static_cast<double>(rows.size(0));
  if (batch.y.size(0) < 2) return metrics;

  Scalars scores;
  for (const auto& [name, loss] : all_losses(estimators, batch, mask)) {
    scores.emplace_back(name, -loss.mean());
    for (const auto& [set, rows] : sets)
      if (rows.size(0) > 0)
        scores.emplace_back(name + "_" + set, -loss.index_select(0, rows).mean());
  }
  metrics.merge(read_scalars(scores));
  return metrics;
}

}  // namespace namid::mi
