// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "namid/data/dataset.h"
#include "namid/defenses/objective.h"
#include "namid/models/classifier.h"
#include "namid/train/options.h"
#include "namid/train/refresh.h"
#include "namid/train/surroundings.h"

namespace namid::train {

/// Trains `model` in place with `objective`. Robust accuracy on `validation` (may be empty; the
/// test set where TrainOptions::select is test) by PGD with `attack`. Writes checkpoints, metrics,
/// model.safetensors (see TrainOptions::select), last.safetensors and best.safetensors into the
/// folder, and returns the "result" of the run record: epochs, steps, best_epoch, validated_on,
/// validation accuracies, alarms, refreshes, weights_sha256, seconds, warnings. `refresh`: needed
/// where options.refresh_estimators > 0. A run that is interrupted and
/// resumed ends with bit-identical weights (same machine and threads). Throws NumericError (step
/// and tensor named; last good checkpoint kept) on NaN or infinity, run::Interrupted after saving
/// when a stop was asked for.
nlohmann::json train(models::Classifier& model, const data::Dataset& training,
                     const data::Dataset& validation, bool augment,
                     const defenses::Objective& objective, const attacks::PgdOptions& attack,
                     const TrainOptions& options, const Surroundings& surroundings,
                     const RefreshPlan* refresh = nullptr);

/// What estimators are trained on. References must outlive the call.
struct EstimateTask {
  const models::Classifier& target;
  std::string target_sha256;  ///< of its weights, for the record
  const data::Dataset& training;
  const data::Dataset& validation;  ///< scored after each epoch; may be empty
  bool augment = false;
  attacks::PgdOptions attack = {};
};

/// Trains estimators on the frozen target (stage 2) and writes estimators.safetensors. Result:
/// steps, seconds, warnings, mean scores on up to 2,000 training images (EstimatorScores: scores,
/// scored_images, selected_images, right_images, natural_accuracy, adversarial_accuracy) and under
/// "validation" on the validation images; "weak" if a score that was trained is negative there or
/// was never seen. OptionError for what the profile does not have (profile.h) and for a layer that
/// the target lacks.
nlohmann::json estimate(const EstimateTask& task, const EstimateOptions& options,
                        const Surroundings& surroundings);

}  // namespace namid::train
