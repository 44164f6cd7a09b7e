// SPDX-License-Identifier: Apache-2.0
#include "namid/train/estimator_training.h"

#include <nlohmann/json.hpp>

#include "namid/core/format.h"
#include "namid/core/log.h"
#include "namid/defenses/objective.h"
#include "namid/train/named_parameters.h"
#include "namid/train/optimizer_state.h"
#include "namid/train/schedule.h"

namespace namid::train {
namespace {

constexpr auto kNatural = "natural.";
constexpr auto kAdversarial = "adversarial.";
constexpr auto kNaturalOptimizer = "optimizer.natural.";
constexpr auto kAdversarialOptimizer = "optimizer.adversarial.";

void append(TensorMap& to, const std::string& prefix, const TensorMap& from) {
  const auto renamed = with_prefix(prefix, from);
  to.insert(to.end(), renamed.begin(), renamed.end());
}

}  // namespace

mi::EstimationBatch estimation_batch(const models::Classifier& target, const data::Batch& batch,
                                     const attacks::PgdOptions& attack, models::Layer layer,
                                     const attacks::Context& context) {
  mi::EstimationBatch seen;
  seen.x = batch.x;
  seen.y = batch.y;
  seen.x_adv = defenses::craft(target, batch, attack, context);
  const at::NoGradGuard no_grad;
  seen.logits_natural = target(seen.x);
  seen.logits_adversarial = target(seen.x_adv);
  const bool logits = layer == models::Layer::logits;
  seen.output_natural = logits ? seen.logits_natural : target(seen.x, layer);
  seen.output_adversarial = logits ? seen.logits_adversarial : target(seen.x_adv, layer);
  return seen;
}

EstimatorTraining::EstimatorTraining(const models::Classifier& target,
                                     mi::EstimatorPair& estimators,
                                     const attacks::PgdOptions& attack,
                                     const EstimateOptions& options)
    : target_(target),
      estimators_(estimators),
      attack_(attack),
      options_(options),
      frozen_(target.frozen_eval()),
      natural_(named_parameters(estimators.natural.state_dict(), estimators.natural.parameters())),
      adversarial_(named_parameters(estimators.adversarial.state_dict(),
                                    estimators.adversarial.parameters())),
      natural_optimizer_(estimators.natural.parameters(), torch::optim::AdamOptions(options.lr)),
      adversarial_optimizer_(estimators.adversarial.parameters(),
                             torch::optim::AdamOptions(options.lr)) {}

void EstimatorTraining::begin_epoch(int epoch) {
  lr_ = learning_rate(options_.lr, options_.gamma, options_.milestones, epoch);
  set_learning_rate(natural_optimizer_, lr_);
  set_learning_rate(adversarial_optimizer_, lr_);
}

Metrics EstimatorTraining::step(const data::Batch& batch, const attacks::Context& context,
                                const Position& position) {
  estimators_.natural.train();
  estimators_.adversarial.train();
  const auto seen = estimation_batch(target_, batch, attack_, estimators_.info.layer, context);
  auto [natural, adversarial, metrics] = mi::estimation_loss(estimators_, seen, options_.objective,
                                                             options_.selection, options_.dv_mask);
  metrics["lr"] = lr_;
  metrics["mi_empty"] = natural.defined() ? 0 : 1;
  if (!natural.defined()) return metrics;
  natural_optimizer_.zero_grad();
  adversarial_optimizer_.zero_grad();
  // The two pairs of nets share no parameter: one pass gives the gradients of both.
  (natural + adversarial).backward();
  TensorMap parameters = with_prefix(kNatural, natural_);
  append(parameters, kAdversarial, adversarial_);
  metrics["gradient_norm"] = check_and_clip(
      {{"natural loss", natural}, {"adversarial loss", adversarial}}, parameters, 0, position);
  natural_optimizer_.step();
  adversarial_optimizer_.step();
  return metrics;
}

EpochEnd EstimatorTraining::end_epoch(const Position& position, const Metrics& means) {
  const auto empty = means.find("mi_empty");
  if (warnings_.empty() && empty != means.end() && empty->second > 0.5) {
    warnings_.push_back(str("epoch ", position.epoch, ": ", fixed(100 * empty->second, 1),
                            " % of the batches were skipped: no sample was selected (Eq. 6)"));
    log_warning(warnings_.back());
  }
  return {};
}

run::Checkpoint EstimatorTraining::state() const {
  TensorMap tensors;
  append(tensors, kNatural, estimators_.natural.state_dict());
  append(tensors, kAdversarial, estimators_.adversarial.state_dict());
  append(tensors, kNaturalOptimizer, optimizer_state(natural_optimizer_, natural_));
  append(tensors, kAdversarialOptimizer, optimizer_state(adversarial_optimizer_, adversarial_));
  return {std::move(tensors), {{"warnings", warnings_}}};
}

void EstimatorTraining::load_state(const run::Checkpoint& checkpoint) {
  const auto& tensors = checkpoint.tensors;
  estimators_.natural.load_state_dict(without_prefix(kNatural, tensors));
  estimators_.adversarial.load_state_dict(without_prefix(kAdversarial, tensors));
  load_optimizer_state(natural_optimizer_, natural_, without_prefix(kNaturalOptimizer, tensors));
  load_optimizer_state(adversarial_optimizer_, adversarial_,
                       without_prefix(kAdversarialOptimizer, tensors));
  warnings_ = checkpoint.state.at("warnings").get<std::vector<std::string>>();
}

}  // namespace namid::train
