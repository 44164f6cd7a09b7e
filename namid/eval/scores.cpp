// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/scores.h"

#include <nlohmann/json.hpp>
#include <numeric>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::eval {
namespace {

/// Running means by name; names that a batch lacks do not count for it.
class Means {
 public:
  void add(const Metrics& metrics) {
    for (const auto& [name, value] : metrics) sums_[name] += value, ++counts_[name];
  }
  nlohmann::json json() const {
    nlohmann::json means = nlohmann::json::object();
    for (const auto& [name, sum] : sums_) means[name] = sum / counts_.at(name);
    return means;
  }

 private:
  std::map<std::string, double> sums_;
  std::map<std::string, int> counts_;
};

mi::EstimationBatch scored_batch(const models::Classifier& model, models::Layer layer,
                                 const data::Batch& batch, const at::Tensor& x_adv) {
  mi::EstimationBatch scored{.x = batch.x, .x_adv = x_adv, .y = batch.y};
  scored.logits_natural = model(batch.x);
  scored.logits_adversarial = model(x_adv);
  const bool logits = layer == models::Layer::logits;
  scored.output_natural = logits ? scored.logits_natural : model(batch.x, layer);
  scored.output_adversarial = logits ? scored.logits_adversarial : model(x_adv, layer);
  return scored;
}

}  // namespace

nlohmann::json score_report(const models::Classifier& model, const mi::EstimatorPair& estimators,
                            const data::Dataset& dataset, const attacks::PgdOptions& attack,
                            std::uint64_t seed, int batch_size) {
  if (dataset.size() < batch_size)
    throw OptionError(str("[scores] batch_size: expected at most the data set's ", dataset.size(),
                          " images, got ", batch_size));
  const auto frozen = model.frozen_eval();
  estimators.natural.freeze();
  if (estimators.adversarial.defined()) estimators.adversarial.freeze();
  std::vector<std::int64_t> rows(static_cast<std::size_t>(batch_size));
  Means means;
  for (std::int64_t first = 0; first + batch_size <= dataset.size(); first += batch_size) {
    std::iota(rows.begin(), rows.end(), first);
    const auto batch = data::make_batch(dataset, rows, model.device());
    const auto x_adv = attacks::pgd(model, batch.x, batch.y, attack,
                                    {.random = Random(seed, "test/scores"), .ids = batch.ids})
                           .x_adv;
    const at::NoGradGuard no_grad;
    auto metrics =
        mi::mean_scores(estimators, scored_batch(model, estimators.info.layer, batch, x_adv));
    for (const auto* count : {"selected", "right"}) metrics[count] /= batch_size;
    means.add(metrics);
  }
  return means.json();
}

}  // namespace namid::eval
