// SPDX-License-Identifier: Apache-2.0
#include "namid/train/classifier_training.h"

#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/log.h"
#include "namid/models/weights.h"
#include "namid/train/named_parameters.h"
#include "namid/train/optimizer_state.h"
#include "namid/train/schedule.h"

namespace namid::train {
namespace {

constexpr auto kModel = "model.";
constexpr auto kAverage = "average.";
constexpr auto kOptimizer = "optimizer.";
constexpr auto kLastFile = "last.safetensors";
constexpr auto kBestFile = "best.safetensors";

torch::optim::SGDOptions sgd_options(const TrainOptions& options) {
  return torch::optim::SGDOptions(options.lr)
      .momentum(options.momentum)
      .weight_decay(options.weight_decay);
}

void append(TensorMap& to, const TensorMap& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

ClassifierTraining::ClassifierTraining(models::Classifier& model, const data::Dataset& validation,
                                       const defenses::Objective& objective,
                                       const attacks::PgdOptions& attack,
                                       const TrainOptions& options,
                                       const Surroundings& surroundings)
    : model_(model),
      objective_(objective),
      options_(options),
      surroundings_(surroundings),
      parameters_(named_parameters(model.state_dict(), model.parameters())),
      optimizer_(model.parameters(), sgd_options(options)),
      validation_(validation, attack, options, surroundings.stop) {
  if (options.ema > 0) average_.emplace(options.ema, model);
  // A model that cannot be saved is refused now, not after the first epoch.
  if (!surroundings.resume) models::save_model(surroundings.folder / kLastFile, model);
}

void ClassifierTraining::begin_epoch(int epoch) {
  lr_ = learning_rate(options_.lr, options_.gamma, options_.milestones, epoch);
  set_learning_rate(optimizer_, lr_);
}

Metrics ClassifierTraining::step(const data::Batch& batch, const attacks::Context& context,
                                 const Position& position) {
  model_.train();
  auto [loss, metrics] = position.epoch <= options_.warmup_epochs
                             ? defenses::natural(model_, batch)
                             : objective_(model_, batch, context);
  optimizer_.zero_grad();
  loss.backward();
  metrics["gradient_norm"] =
      check_and_clip({{"loss", loss}}, parameters_, options_.clip_grad, position);
  metrics["lr"] = lr_;
  optimizer_.step();
  if (average_) average_->update(model_);
  return metrics;
}

EpochEnd ClassifierTraining::end_epoch(const Position& position, const Metrics& means) {
  check_finite(model_.state_dict(), "weights:", position);
  EpochEnd end;
  if (validation_.is_due(position.epoch)) {
    const auto verdict = validation_.run(result(), position, warnings_);
    if (verdict.is_best) models::save_model(surroundings_.folder / kBestFile, result());
    end = {verdict.metrics, verdict.stop};
  }
  models::save_model(surroundings_.folder / kLastFile, result());
  warn_if_mostly_empty(position, means);
  return end;
}

void ClassifierTraining::warn_if_mostly_empty(const Position& position, const Metrics& means) {
  const auto empty = means.find("mi_empty");
  if (warned_empty_ || empty == means.end() || !(empty->second > 0.5)) return;
  warned_empty_ = true;
  warnings_.push_back(str("epoch ", position.epoch, ": in ", fixed(100 * empty->second, 1),
                          " % of the batches no sample was selected (Eq. 6), so that they had no "
                          "MI term"));
  log_warning(warnings_.back());
}

run::Checkpoint ClassifierTraining::state() const {
  TensorMap tensors = with_prefix(kModel, model_.state_dict());
  append(tensors, with_prefix(kOptimizer, optimizer_state(optimizer_, parameters_)));
  if (average_) append(tensors, with_prefix(kAverage, average_->model().state_dict()));
  return {std::move(tensors),
          {{"validation", validation_.state()},
           {"warnings", warnings_},
           {"warned_empty", warned_empty_}}};
}

void ClassifierTraining::load_state(const run::Checkpoint& checkpoint) {
  model_.load_state_dict(without_prefix(kModel, checkpoint.tensors));
  load_optimizer_state(optimizer_, parameters_, without_prefix(kOptimizer, checkpoint.tensors));
  const auto average = without_prefix(kAverage, checkpoint.tensors);
  if (average.empty() == average_.has_value())
    throw OptionError(str("[train] ema: the checkpoint has ", average.empty() ? "no" : "an",
                          " average of the weights, got ema ", options_.ema));
  if (average_) average_->model().load_state_dict(average);
  validation_.load_state(checkpoint.state.at("validation"));
  warnings_ = checkpoint.state.at("warnings").get<std::vector<std::string>>();
  warned_empty_ = checkpoint.state.at("warned_empty").get<bool>();
}

void ClassifierTraining::select_weights() {
  if (options_.select == Select::validation) {
    models::load_weights(surroundings_.folder / kBestFile, model_);
  } else if (average_) {
    model_.load_state_dict(average_->model().state_dict());
  }
  model_.train(false);
  models::save_model(surroundings_.folder / "model.safetensors", model_);
}

}  // namespace namid::train
