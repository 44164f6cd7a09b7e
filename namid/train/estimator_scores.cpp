// SPDX-License-Identifier: Apache-2.0
#include "namid/train/estimator_scores.h"

#include <limits>
#include <span>

#include "namid/core/format.h"
#include "namid/defenses/objective.h"
#include "namid/train/epoch_means.h"

namespace namid::train {
namespace {

using mi::EstimationObjective;

/// Adds a batch: means over a set weigh by its size.
void add(EpochMeans& sums, EstimatorScores& scores, const Metrics& batch, std::int64_t size) {
  const auto selected = static_cast<std::int64_t>(batch.at("selected"));
  const auto right = static_cast<std::int64_t>(batch.at("right"));
  for (const auto& [name, value] : batch) {
    if (name == "selected" || name == "right") continue;
    const auto weight = name.ends_with("_selected") ? selected
                        : name.ends_with("_right")  ? right
                                                    : size;
    sums.add({{name, value}}, weight);
  }
  scores.images += size;
  scores.selected += selected;
  scores.right += right;
}

}  // namespace

mi::EstimationBatch natural_batch(const models::Classifier& target, const data::Batch& batch,
                                  models::Layer layer) {
  const at::NoGradGuard no_grad;
  mi::EstimationBatch seen;
  seen.x = batch.x;
  seen.y = batch.y;
  seen.logits_natural = target(seen.x);
  seen.output_natural =
      layer == models::Layer::logits ? seen.logits_natural : target(seen.x, layer);
  return seen;
}

mi::EstimationBatch estimation_batch(const models::Classifier& target, const data::Batch& batch,
                                     const attacks::PgdOptions& attack, models::Layer layer,
                                     const attacks::Context& context) {
  const auto x_adv = defenses::craft(target, batch, attack, context);
  auto seen = natural_batch(target, batch, layer);
  auto adversarial = natural_batch(target, {.x = x_adv, .y = batch.y}, layer);
  seen.x_adv = x_adv;
  seen.logits_adversarial = adversarial.logits_natural;
  seen.output_adversarial = adversarial.output_natural;
  return seen;
}

EstimatorScores score_estimators(const models::Classifier& target, const mi::EstimatorPair& pair,
                                 const data::Dataset& dataset, const attacks::PgdOptions& attack,
                                 const EstimateOptions& options, const ScoreRun& run) {
  pair.natural.train(false);
  if (pair.adversarial.defined()) pair.adversarial.train(false);
  const auto frozen = target.frozen_eval();
  const auto order = Random(options.seed, run.stream + "-order").permutation(dataset.size(), 0);
  const auto size = std::min<std::int64_t>(options.batch_size, dataset.size());
  const auto batches = std::max<std::int64_t>(1, std::min(dataset.size(), run.most) / size);
  EpochMeans sums;
  EstimatorScores scores;
  for (std::int64_t i = 0; i < batches; ++i) {
    const auto rows = std::span(order).subspan(i * size, size);
    const auto batch = data::make_batch(dataset, rows, target.device());
    attacks::Context context{.random = Random(options.seed, run.stream)};
    context.ids = batch.ids;
    context.stop = run.stop;
    const auto seen = estimation_batch(target, batch, attack, pair.info.layer, context);
    add(sums, scores, mi::mean_scores(pair, seen, options.rules.selection, options.rules.dv_mask),
        size);
    const auto share = [&](const at::Tensor& logits) {
      return defenses::share_right(logits, seen.y).item<double>() / static_cast<double>(batches);
    };
    scores.natural_accuracy += share(seen.logits_natural);
    scores.adversarial_accuracy += share(seen.logits_adversarial);
  }
  scores.means = sums.means();
  return scores;
}

std::vector<std::string> weaknesses(const Metrics& scores, EstimationObjective objective) {
  std::vector<std::string> sides{"natural", "adversarial"};
  if (objective == EstimationObjective::natural) sides = {"natural"};
  if (objective == EstimationObjective::standard) sides = {"standard"};
  std::vector<std::string> found;
  for (const auto& side : sides) {
    const auto image = side == "natural" ? "natural" : "adversarial";
    const bool selected = objective == EstimationObjective::selected;
    const auto entry = scores.find(str(side, "_on_", image, selected ? "_selected" : ""));
    if (entry == scores.end())
      found.push_back(str("weak: no training sample was selected (Eq. 6) to score the ", side,
                          " estimator on"));
    else if (!(entry->second >= 0))
      found.push_back(str("weak: the ", side, " estimator's mean score on its training data is ",
                          fixed(entry->second, 3), " nats, below 0"));
  }
  return found;
}

}  // namespace namid::train
