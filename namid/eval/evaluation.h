// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "namid/eval/evaluate.h"
#include "namid/eval/runner.h"

namespace namid::eval {

/// An evaluation with attacks of the caller's own; `evaluate` (evaluate.h) is this with PGD.
struct Evaluation {
  const models::Classifier& model;
  const data::Dataset& dataset;
  EvaluateOptions options = {};
  std::filesystem::path folder;  ///< gets ledger.sqlite and gallery.safetensors
  bool resume = false;           ///< go on with the ledger that is there
  const run::StopToken* stop = nullptr;
  /// Called before a stage ("natural" or an attack's name) and after each batch: samples done of
  /// all.
  std::function<void(const std::string& stage, std::int64_t done, std::int64_t total)> progress =
      {};
};

/// Natural predictions, then each attack on all correctly classified samples; the result (see
/// evaluate.h) is computed from the ledger alone. A sample is robust that no attack broke. An
/// attack that throws NumericError gives a row {"name", "error"} and does not count; if none is
/// left, "robust" is missing. OptionError if the folder has a ledger and `resume` is false.
nlohmann::json evaluate_with(const Evaluation& job, std::span<const AttackEntry> attacks);

}  // namespace namid::eval
