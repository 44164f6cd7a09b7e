// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "namid/eval/evaluate.h"
#include "namid/eval/suite.h"

namespace namid::eval {

/// An evaluation in a folder; `evaluate` (evaluate.h) is this with progress lines.
struct Evaluation {
  const models::Classifier& model;
  const data::Dataset& dataset;
  EvaluateOptions options = {};
  std::filesystem::path folder;  ///< gets ledger.sqlite and gallery.safetensors
  bool resume = false;           ///< go on with the ledger that is there
  const run::StopToken* stop = nullptr;
  /// Called before a stage ("natural", an attack's name, "apgd-t 3/9") and after each compute
  /// batch: samples done of all.
  std::function<void(const std::string& stage, std::int64_t done, std::int64_t total)> progress =
      {};
};

/// What can be said of an evaluation before the model's first pass, and before a folder is made for
/// it. OptionError for options out of range or unreadable, for a stopping rule in file order or on
/// a shard, for data that do not fit the model, and for an attack that needs more classes.
void check_evaluation(const models::Classifier& model, const data::Dataset& dataset,
                      const Suite& suite, const EvaluateOptions& options);

/// Natural predictions, then the suite's stages, a stage being one round of an attack; the result
/// (see evaluate.h) is computed from the ledger alone. Survivors are packed into full batches
/// between stages. An attack that throws NumericError gives a row {"name", "error"} and does not
/// count; if none is left, "robust" is missing. OptionError if the folder has a ledger and `resume`
/// is false.
nlohmann::json evaluate_with(const Evaluation& job, const Suite& suite);

}  // namespace namid::eval
