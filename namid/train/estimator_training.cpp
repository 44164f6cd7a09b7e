// SPDX-License-Identifier: Apache-2.0
#include "namid/train/estimator_training.h"

#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/log.h"
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

torch::optim::AdamOptions adam_options(const EstimateOptions& options) {
  for (const auto& [name, beta] : {std::pair{"beta1", options.beta1}, {"beta2", options.beta2}})
    if (beta == 1)
      throw OptionError(
          str("[estimate] ", name, ": expected in [0, 1), got 1: nothing would move"));
  return torch::optim::AdamOptions(options.lr)
      .betas({options.beta1, options.beta2})
      .weight_decay(options.weight_decay);
}

/// The parameters by name; none of an empty estimator.
TensorMap named(const mi::Estimator& estimator) {
  if (!estimator.defined()) return {};
  return named_parameters(estimator.state_dict(), estimator.parameters());
}

}  // namespace

EstimatorTraining::EstimatorTraining(const models::Classifier& target,
                                     mi::EstimatorPair& estimators,
                                     const attacks::PgdOptions& attack,
                                     const EstimateOptions& options, const ScoredImages& validation)
    : target_(target),
      estimators_(estimators),
      attack_(attack),
      options_(options),
      validation_(validation),
      frozen_(target.frozen_eval()),
      natural_(named(estimators.natural)),
      adversarial_(named(estimators.adversarial)),
      natural_optimizer_(estimators.natural.parameters(), adam_options(options)) {
  if (estimators.adversarial.defined())
    adversarial_optimizer_.emplace(estimators.adversarial.parameters(), adam_options(options));
}

void EstimatorTraining::begin_epoch(int epoch) {
  lr_ = learning_rate(options_.lr, options_.gamma, options_.milestones, epoch);
  set_learning_rate(natural_optimizer_, lr_);
  if (adversarial_optimizer_) set_learning_rate(*adversarial_optimizer_, lr_);
}

mi::EstimationBatch EstimatorTraining::look(const data::Batch& batch,
                                            const attacks::Context& context,
                                            const Position& position) const {
  const auto layer = estimators_.info.layer;
  if (options_.rules.objective == mi::EstimationObjective::natural)
    return natural_batch(target_, batch, layer);
  try {
    return estimation_batch(target_, batch, attack_, layer, context);
  } catch (const NumericError& error) {
    throw NumericError(str("step ", position.step, " (epoch ", position.epoch,
                           "): adversarial images: ", error.what()));
  }
}

Metrics EstimatorTraining::step(const data::Batch& batch, const attacks::Context& context,
                                const Position& position) {
  estimators_.natural.train();
  if (adversarial_optimizer_) estimators_.adversarial.train();
  const auto seen = look(batch, context, position);
  auto [natural, adversarial, metrics] = mi::estimation_loss(estimators_, seen, options_.rules);
  metrics["lr"] = lr_;
  metrics["mi_empty"] = natural.defined() ? 0 : 1;
  if (!natural.defined()) return metrics;
  natural_optimizer_.zero_grad();
  TensorMap losses{{"natural loss", natural}}, parameters = with_prefix(kNatural, natural_);
  if (adversarial.defined()) {
    adversarial_optimizer_->zero_grad();
    losses.emplace_back("adversarial loss", adversarial);
    append(parameters, kAdversarial, adversarial_);
  }
  // The two pairs of nets share no parameter: one pass gives the gradients of both.
  (adversarial.defined() ? natural + adversarial : natural).backward();
  try {
    metrics["gradient_norm"] = check_and_clip(losses, parameters, 0, position);
  } catch (const NumericError&) {
    check_finite({{"x", seen.output_natural}, {"x_adv", seen.output_adversarial}},
                 "the target's output on", position);
    throw;
  }
  natural_optimizer_.step();
  if (adversarial.defined()) adversarial_optimizer_->step();
  return metrics;
}

EstimatorScores EstimatorTraining::score_validation() const {
  const auto& images = *validation_.images;
  return score_estimators(
      target_, estimators_, images, attack_, options_,
      {.stream = "estimate/validation", .most = images.size(), .stop = validation_.stop});
}

EpochEnd EstimatorTraining::end_epoch(const Position& position, const Metrics& means) {
  EpochEnd end;
  if (validation_.images != nullptr && validation_.images->size() > 1) {
    const auto scores = score_validation();
    for (const auto& [name, value] : scores.means) end.metrics["validation_" + name] = value;
    end.metrics["validation_natural_accuracy"] = scores.natural_accuracy;
    end.metrics["validation_robust_accuracy"] = scores.adversarial_accuracy;
    end.metrics["validation_selected"] = static_cast<double>(scores.selected);
    end.metrics["validation_right"] = static_cast<double>(scores.right);
  }
  const auto empty = means.find("mi_empty");
  if (warnings_.empty() && empty != means.end() && empty->second > 0.5) {
    warnings_.push_back(str("epoch ", position.epoch, ": ", fixed(100 * empty->second, 1),
                            " % of the batches were skipped: no sample was selected (Eq. 6)"));
    log_warning(warnings_.back());
  }
  return end;
}

run::Checkpoint EstimatorTraining::state() const {
  TensorMap tensors;
  append(tensors, kNatural, estimators_.natural.state_dict());
  append(tensors, kNaturalOptimizer, optimizer_state(natural_optimizer_, natural_));
  if (adversarial_optimizer_) {
    append(tensors, kAdversarial, estimators_.adversarial.state_dict());
    append(tensors, kAdversarialOptimizer, optimizer_state(*adversarial_optimizer_, adversarial_));
  }
  return {std::move(tensors), {{"warnings", warnings_}}};
}

void EstimatorTraining::load_state(const run::Checkpoint& checkpoint) {
  const auto& tensors = checkpoint.tensors;
  estimators_.natural.load_state_dict(without_prefix(kNatural, tensors));
  load_optimizer_state(natural_optimizer_, natural_, without_prefix(kNaturalOptimizer, tensors));
  if (adversarial_optimizer_) {
    estimators_.adversarial.load_state_dict(without_prefix(kAdversarial, tensors));
    load_optimizer_state(*adversarial_optimizer_, adversarial_,
                         without_prefix(kAdversarialOptimizer, tensors));
  }
  warnings_ = checkpoint.state.at("warnings").get<std::vector<std::string>>();
}

}  // namespace namid::train
