// SPDX-License-Identifier: Apache-2.0
#pragma once

// Models of commands that also take weights by anyone: namid evaluate resnet18 --weights file.pth.

#include <string>

#include "namid/data/dataset.h"
#include "namid/models/classifier.h"
#include "namid/models/import_weights.h"

namespace namid::app {

/// The model of a run folder or file; with `imported.weights`, the built-in network `model` with
/// those weights, for images and classes of `dataset`. trust: as read_model of inputs.h.
/// OptionError where other options of `imported` are given without weights.
models::Classifier read_model(const std::string& model, const models::ImportOptions& imported,
                              const data::Dataset& dataset, bool trust);

/// What a record names as the model's file: the weights, if any, else `model`.
const std::string& model_path(const std::string& model, const models::ImportOptions& imported);

}  // namespace namid::app
