// SPDX-License-Identifier: Apache-2.0
#include "namid/train/classifier_training.h"

#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/log.h"
#include "namid/models/weights.h"
#include "namid/train/fused_sgd.h"
#include "namid/train/named_parameters.h"
#include "namid/train/optimizer_state.h"
#include "namid/train/schedule.h"

namespace namid::train {
namespace {

constexpr auto kModel = "model.";
constexpr auto kAverage = "average.";
constexpr auto kOptimizer = "optimizer.";
constexpr auto kObjective = "objective.";
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
                                       const Surroundings& surroundings, EstimatorRefresh* refresh)
    : model_(model),
      objective_(objective),
      options_(options),
      surroundings_(surroundings),
      refresh_(refresh),
      parameters_(named_parameters(model.state_dict(), model.parameters())),
      optimizer_(model.parameters(), sgd_options(options)),
      validation_(validation, attack, options, surroundings.stop),
      alarms_(options.alarms, validation.labels, options.batch_size) {
  if (options.ema > 0) average_.emplace(options.ema, model);
  // A model that cannot be saved is refused now, not after the first epoch.
  if (!surroundings.resume) models::save_model(surroundings.folder / kLastFile, model);
}

void ClassifierTraining::begin_epoch(int epoch) {
  lr_ = learning_rate(options_.lr, options_.gamma, options_.milestones, epoch);
  set_learning_rate(optimizer_, lr_);
  if (refresh_ == nullptr) return;
  refresh_->begin_epoch(epoch, model_);
  for (auto& warning : refresh_->take_warnings()) warnings_.push_back(std::move(warning));
}

const defenses::Objective& ClassifierTraining::objective() const {
  const auto* refreshed = refresh_ ? refresh_->objective() : nullptr;
  return refreshed ? *refreshed : objective_;
}

Metrics ClassifierTraining::step(const data::Batch& batch, const attacks::Context& context,
                                 const Position& position) {
  model_.train();
  auto [loss, metrics] = position.epoch <= options_.warmup_epochs
                             ? defenses::natural(model_, batch)
                             : objective()(model_, batch, context);
  optimizer_.zero_grad();
  loss.backward();
  metrics["gradient_norm"] =
      check_and_clip({{"loss", loss}}, parameters_, options_.clip_grad, position);
  metrics["lr"] = lr_;
  fused_step(optimizer_);
  if (average_) average_->update(model_);
  return metrics;
}

EpochEnd ClassifierTraining::end_epoch(const Position& position, const Metrics& means) {
  check_finite(model_.state_dict(), "weights:", position);
  std::optional<eval::QuickAccuracy> found;
  if (validation_.is_due(position.epoch)) found = validation_.measure(result());
  const auto alarm = check_alarms(position, means, found);
  EpochEnd end{alarm.metrics, alarm.stop};
  if (found) {
    const auto verdict = validation_.note(position.epoch, *found);
    if (verdict.is_best) models::save_model(surroundings_.folder / kBestFile, result());
    end.metrics.insert(verdict.metrics.begin(), verdict.metrics.end());
    end.stop = end.stop || verdict.stop;
  }
  if (refresh_) end.metrics["refresh_seconds"] = refresh_->seconds(position.epoch);
  models::save_model(surroundings_.folder / kLastFile, result());
  warn_if_mostly_empty(position, means);
  return end;
}

Alarms::Verdict ClassifierTraining::check_alarms(const Position& position, const Metrics& means,
                                                 const std::optional<eval::QuickAccuracy>& found) {
  Alarms::Epoch epoch{.number = position.epoch, .means = means};
  if (found) {
    epoch.robust = found->robust;
    epoch.largest_class_share = found->largest_class_share;
  }
  const auto verdict = alarms_.check(epoch);
  warnings_.insert(warnings_.end(), verdict.warnings.begin(), verdict.warnings.end());
  if (verdict.error.empty()) return verdict;
  const auto& best = validation_.best();
  throw NumericError(str(
      verdict.error, " (step ", position.step, ")",
      best ? str("; the best weights so far (epoch ", best->epoch, ") are in best.safetensors")
           : "",
      "; to train on regardless, set that alarm's option to \"warn\" in the run's config.toml and "
      "resume"));
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
  append(tensors, with_prefix(kObjective, objective_.save_state()));
  if (average_) append(tensors, with_prefix(kAverage, average_->model().state_dict()));
  return {std::move(tensors),
          {{"validation", validation_.state()},
           {"alarms", alarms_.state()},
           {"refreshes", refresh_ ? refresh_->state() : nlohmann::json::array()},
           {"warnings", warnings_},
           {"warned_empty", warned_empty_}}};
}

void ClassifierTraining::load_state(const run::Checkpoint& checkpoint) {
  model_.load_state_dict(without_prefix(kModel, checkpoint.tensors));
  load_optimizer_state(optimizer_, parameters_, without_prefix(kOptimizer, checkpoint.tensors));
  objective_.load_state(without_prefix(kObjective, checkpoint.tensors));
  const auto average = without_prefix(kAverage, checkpoint.tensors);
  if (average.empty() == average_.has_value())
    throw OptionError(str("[train] ema: the checkpoint has ", average.empty() ? "no" : "an",
                          " average of the weights, got ema ", options_.ema));
  if (average_) average_->model().load_state_dict(average);
  validation_.load_state(checkpoint.state.at("validation"));
  alarms_.load_state(checkpoint.state.at("alarms"));
  if (refresh_) refresh_->load_state(checkpoint.state.at("refreshes"), model_);
  warnings_ = checkpoint.state.at("warnings").get<std::vector<std::string>>();
  warned_empty_ = checkpoint.state.at("warned_empty").get<bool>();
}

void ClassifierTraining::select_weights() {
  if (options_.select != Select::last) {
    models::load_weights(surroundings_.folder / kBestFile, model_);
  } else if (average_) {
    model_.load_state_dict(average_->model().state_dict());
  }
  model_.train(false);
  models::save_model(surroundings_.folder / "model.safetensors", model_);
}

}  // namespace namid::train
