// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/command_inl.h"
#include "apps/namid/imported.h"
#include "apps/namid/inputs.h"
#include "apps/namid/train_command.h"
#include "namid/models/weights.h"
#include "namid/run/stop_token.h"
#include "namid/train/profile.h"
#include "namid/train/train.h"

namespace namid::app {

EstimateCommand::EstimateCommand() {
  attack.judge = attacks::Judge::last;
}

std::string EstimateCommand::default_name() const {
  return std::string(to_string(estimate.rules.objective));
}

OptionSet EstimateCommand::options() {
  OptionSet set;
  set.add("", inputs)
      .add("", imported)
      .add("", estimate)
      .add("", data)
      .add("", runtime)
      .add("attack", attack);
  return set;
}

void EstimateCommand::apply_profile() {
  train::apply_profile(estimate, attack);
}

void EstimateCommand::prepare() {
  if (std::exchange(prepared_, true)) return;
  validate(estimate, "estimate");
  attacks::validate_budget(attack.budget, "attack");
  refuse_targeted(attack);
  train::check_profile(estimate, attack);
  if (inputs.target.empty())
    throw OptionError("[estimate] expected the model to score: namid estimate MODEL");
  const auto all = data::load_dataset(data, data::Part::train);
  target_ = read_model(inputs.target, imported, all, trust);
  place(target_, runtime);
  compiled_ = seen_by_attacks(target_, runtime);
  mi::layer_channels(target_, estimate.layer);  // a target without the layer is refused here
  // The same split as the target's, if seed and size are the same.
  std::tie(training_, validation_) = data::split_validation(all, data.validation, estimate.seed);
  if (training_.shape() != target_.info().input_shape ||
      training_.num_classes != target_.info().num_classes)
    throw OptionError(str("[estimate] data set ", training_.name,
                          " does not fit the target's input shape or class count"));
}

json EstimateCommand::record() const {
  json record = {
      {"data", data_record(training_)},         {"model", model_record(target_)},
      {"engine", engine_record(compiled_)},     {"seed", estimate.seed},
      {"profile", to_string(estimate.profile)}, {"target", model_path(inputs.target, imported)}};
  record["data"]["validation"] = validation_.size();
  record["model"]["sha256"] = models::weights_sha256(target_.state_dict());
  return record;
}

json EstimateCommand::run(const run::RunFolder& folder, bool resume) {
  return train::estimate({.target = compiled_.model,
                          .target_sha256 = models::weights_sha256(target_.state_dict()),
                          .training = training_,
                          .validation = validation_,
                          .augment = data::augments(data, training_),
                          .attack = attack},
                         estimate, {folder, &run::process_stop_token(), resume, show_progress});
}

std::string EstimateCommand::summary(const json& result, const run::RunFolder& folder) const {
  std::string text = "DV scores (nats; not mutual information) on the training data:\n";
  const json scores = result.value("scores", json::object());
  for (const auto& [name, score] : scores.items())
    if (score.is_number()) text += str("  ", name, " ", fixed(score.get<double>(), 3), "\n");
  return text + str("run folder ", folder.path().string(), "\n");
}

void add_estimate(CLI::App& app) {
  add_run_command<EstimateCommand>(app, "train estimators on a frozen target", "target");
}

}  // namespace namid::app
