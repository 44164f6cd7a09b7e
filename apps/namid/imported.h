// SPDX-License-Identifier: Apache-2.0
#pragma once

// Models of commands that also take weights by anyone: namid evaluate resnet18 --weights file.pth.

#include <string>

#include "namid/data/dataset.h"
#include "namid/mi/estimator.h"
#include "namid/models/classifier.h"
#include "namid/models/import_weights.h"

namespace namid::app {

/// The model of a run folder or file; with `imported.weights`, the built-in network `model` with
/// those weights, for images and classes of `dataset`. trust: as read_model of inputs.h.
/// OptionError where other options of `imported` are given without weights.
models::Classifier read_model(const std::string& model, const models::ImportOptions& imported,
                              const data::Dataset& dataset, bool trust);

/// The model that the estimators at `path` (a run folder, or the file in it) were trained on, found
/// through their run's record and, where that names weights by anyone, built as it says.
/// OptionError if there is no such record, DataError if the model is not there or its weights are
/// not those that the estimators name.
models::Classifier read_target_of(const std::string& path, const mi::EstimatorInfo& info,
                                  const data::Dataset& dataset, bool trust);

/// What a record names as the model's file: the weights, if any, else `model`.
const std::string& model_path(const std::string& model, const models::ImportOptions& imported);

}  // namespace namid::app
