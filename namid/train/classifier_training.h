// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/optim/sgd.h>

#include <optional>
#include <string>
#include <vector>

#include "namid/defenses/objective.h"
#include "namid/models/classifier.h"
#include "namid/train/alarms.h"
#include "namid/train/averaging.h"
#include "namid/train/refresh.h"
#include "namid/train/surroundings.h"
#include "namid/train/trainable.h"
#include "namid/train/validation.h"

namespace namid::train {

/// SGD training of a classifier with an objective (stage 3). At the end of each epoch the weights
/// go to last.safetensors, and to best.safetensors when the validation is the best so far; with
/// options.ema > 0 these are the averaged ones, which are also what is validated.
class ClassifierTraining final : public Trainable {
 public:
  /// References must outlive the object. `refresh`: where it has an objective, that one is used.
  /// OptionError for a model that cannot be saved.
  ClassifierTraining(models::Classifier& model, const data::Dataset& validation,
                     const defenses::Objective& objective, const attacks::PgdOptions& attack,
                     const TrainOptions& options, const Surroundings& surroundings,
                     EstimatorRefresh* refresh = nullptr);

  void begin_epoch(int epoch) override;
  Metrics step(const data::Batch& batch, const attacks::Context& context,
               const Position& position) override;
  EpochEnd end_epoch(const Position& position, const Metrics& means) override;
  run::Checkpoint state() const override;
  void load_state(const run::Checkpoint& checkpoint) override;

  /// Gives the model the selected weights, in eval mode, and writes model.safetensors.
  void select_weights();
  const Validation& validation() const { return validation_; }
  const Alarms& alarms() const { return alarms_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  const defenses::Objective& objective() const;
  const models::Classifier& result() const { return average_ ? average_->model() : model_; }
  /// Looks at the alarms; NumericError where one of them stops the run with an error.
  Alarms::Verdict check_alarms(const Position& position, const Metrics& means,
                               const std::optional<eval::QuickAccuracy>& found);
  void warn_if_mostly_empty(const Position& position, const Metrics& means);

  models::Classifier& model_;
  const defenses::Objective& objective_;
  const TrainOptions& options_;
  const Surroundings& surroundings_;
  EstimatorRefresh* const refresh_;
  const TensorMap parameters_;
  torch::optim::SGD optimizer_;
  std::optional<WeightAverage> average_;
  Validation validation_;
  Alarms alarms_;
  std::vector<std::string> warnings_;
  double lr_ = 0;
  bool warned_empty_ = false;
};

}  // namespace namid::train
