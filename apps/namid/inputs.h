// SPDX-License-Identifier: Apache-2.0
#pragma once

// What several commands read: models and estimators of earlier runs.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "namid/attacks/pgd.h"
#include "namid/data/dataset.h"
#include "namid/engine/compile.h"
#include "namid/mi/estimator.h"
#include "namid/models/classifier.h"

namespace namid::app {

/// `what` of a run: a run folder stands for its `file` (model.safetensors, estimators.safetensors),
/// a file for itself. DataError if neither is there.
std::filesystem::path resolve_input(const std::string& path, const std::string& file,
                                    const std::string& what);

/// The words of a comma-separated list, without blanks around them; empty ones are left out.
std::vector<std::string> words_of(const std::string& list);
/// The words in one text, `separator` between them.
std::string joined(const std::vector<std::string>& words, const std::string& separator = ", ");

/// The model of a run folder or file, by the file's content: one that namid saved, a torch.export
/// program (.pt2), or, with `trust` and a notice, TorchScript; the latter takes samples of
/// `shape`, since such files do not tell. DataError for any other file, with what to do about it.
models::Classifier read_model(const std::string& path, bool trust,
                              const std::vector<std::int64_t>& shape);
mi::EstimatorPair read_estimators(const std::string& path);

/// The defence that a run folder's model was trained with; empty where that is not known.
std::string defense_of(const std::string& path);

/// "test" for a run whose model was chosen by test images; empty where that is not so or not known.
std::string chosen_on(const std::string& path);

/// OptionError for a targeted attack, which neither training nor evaluation can use.
void refuse_targeted(const attacks::PgdOptions& attack);

/// The record's entries for a data set and a model.
nlohmann::json data_record(const data::Dataset& dataset);
nlohmann::json model_record(const models::Classifier& model);
/// {"kernels": "winograd 17, direct 4"}, or {"kernels": null} with "refusal" where there is one.
nlohmann::json engine_record(const engine::Compiled& compiled);
/// The record of a command that attacks the model at `path` on a data set.
nlohmann::json attacked_record(const models::Classifier& model, const data::Dataset& dataset,
                               const std::string& path, std::uint64_t seed);

/// The model of a run folder or file that transfer attacks on `target` see; as read_model, and
/// OptionError where the two do not take the same images and classes. `who`: the command.
models::Classifier read_surrogate(const std::string& path, bool trust,
                                  const models::Classifier& target, const std::string& who);

/// The record's entry for the model that transfer attacks see.
nlohmann::json surrogate_record(const models::Classifier& surrogate, const std::string& path);

/// A line on the images that were attacked again in float32; empty where none were to be.
std::string rescue_text(const nlohmann::json& result);

/// "linf, epsilon 0.031373", "no norm".
std::string budget_text(const attacks::Budget& budget);

/// "62.30 % [59.21, 65.31]", without brackets where an accuracy of a result has no interval.
std::string accuracy_text(const nlohmann::json& accuracy);

}  // namespace namid::app
