// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "namid/data/dataset.h"
#include "namid/defenses/objective.h"
#include "namid/models/classifier.h"
#include "namid/train/options.h"
#include "namid/train/surroundings.h"

namespace namid::train {

/// Trains `model` in place with `objective`. Robust accuracy on `validation` (may be empty) by PGD
/// with `attack`. Writes checkpoints, metrics, model.safetensors (see TrainOptions::select),
/// last.safetensors and best.safetensors into the folder, and returns the "result" of the run
/// record: epochs, steps, best_epoch, validation accuracies, weights_sha256, seconds, warnings. A
/// run that is interrupted and resumed ends with bit-identical weights (same machine and threads).
/// Throws NumericError (step and tensor named; last good checkpoint kept) on NaN or infinity,
/// run::Interrupted after saving when a stop was asked for.
nlohmann::json train(models::Classifier& model, const data::Dataset& training,
                     const data::Dataset& validation, bool augment,
                     const defenses::Objective& objective, const attacks::PgdOptions& attack,
                     const TrainOptions& options, const Surroundings& surroundings);

/// Trains a pair of estimators on the frozen `target` (stage 2) and writes estimators.safetensors.
/// Result: final scores on the training set, steps, seconds, warnings ("weak" if a mean score on
/// the training data is negative).
nlohmann::json estimate(const models::Classifier& target, const std::string& target_sha256,
                        const data::Dataset& training, bool augment,
                        const attacks::PgdOptions& attack, const EstimateOptions& options,
                        const Surroundings& surroundings);

}  // namespace namid::train
