// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/imported.h"

#include "apps/namid/inputs.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/option_set.h"
#include "namid/io/records.h"
#include "namid/models/weights.h"
#include "namid/run/run_folder.h"

namespace namid::app {

models::Classifier read_model(const std::string& model, const models::ImportOptions& imported,
                              const data::Dataset& dataset, bool trust) {
  if (!imported.weights.empty())
    return models::import_model(model, imported, dataset.shape(), dataset.num_classes);
  auto given = imported;
  models::ImportOptions unset;
  OptionSet set, defaults;
  set.add("", given);
  defaults.add("", unset);
  for (std::size_t i = 0; i < set.entries().size(); ++i)
    if (const auto& entry = set.entries()[i]; entry.text() != defaults.entries()[i].text())
      throw OptionError(str(entry.path(), ": belongs to --weights FILE; ", model,
                            " says itself how it is built"));
  return read_model(model, trust, dataset.shape());
}

namespace {

/// The part of a run's options that says how weights by anyone were read.
models::ImportOptions imported_of(const json& options, const std::string& record) {
  models::ImportOptions imported;
  OptionSet set;
  set.add("", imported);
  auto given = json::object();
  for (const auto& entry : set.entries())
    if (options.contains(entry.path())) given[entry.path()] = options[entry.path()];
  io::apply_json(set, given, record);
  return imported;
}

}  // namespace

models::Classifier read_target_of(const std::string& path, const mi::EstimatorInfo& info,
                                  const data::Dataset& dataset, bool trust) {
  const std::filesystem::path given(path);
  const auto folder = std::filesystem::is_directory(given) ? given : given.parent_path();
  const auto file = folder / "run.json";
  if (!std::filesystem::exists(file))
    throw OptionError(str("[train] init: 'target' needs the run folder of the estimators, and ",
                          path, " is in none; name the model instead: --init RUN"));
  const auto options = run::RunFolder::open(folder).read_record().value("options", json::object());
  const auto target = options.value("target", "");
  if (target.empty())
    throw OptionError(str("[train] init: ", file.string(),
                          " names no target; name the model instead: --init RUN"));
  const auto imported = imported_of(options, file.string());
  const auto model = read_model(target, imported, dataset, trust);
  const auto hash = models::weights_sha256(model.state_dict());
  if (hash != info.target_sha256)
    throw DataError(str("[train] init: the estimators were trained on weights ", info.target_sha256,
                        ", but ", model_path(target, imported), " holds ", hash,
                        "; it was changed since"));
  return model;
}

const std::string& model_path(const std::string& model, const models::ImportOptions& imported) {
  return imported.weights.empty() ? model : imported.weights;
}

}  // namespace namid::app
