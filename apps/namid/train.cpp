// SPDX-License-Identifier: Apache-2.0
#include "namid/train/train.h"

#include <fstream>

#include "apps/namid/command_inl.h"
#include "apps/namid/inputs.h"
#include "apps/namid/train_command.h"
#include "namid/defenses/registry.h"
#include "namid/run/stop_token.h"

namespace namid::app {

TrainCommand::TrainCommand() {
  attack.judge = attacks::Judge::last;
}

std::string TrainCommand::default_name() const {
  return str(to_string(train.defense), "-", model.model);
}

OptionSet TrainCommand::options() {
  OptionSet set;
  set.add("", train).add("", data).add("", model).add("", runtime);
  set.add("attack", attack).add("namid", namid);
  return set;
}

void TrainCommand::prepare() {
  if (std::exchange(prepared_, true)) return;
  validate(train, "train");
  attacks::validate_budget(attack.budget, "attack");
  refuse_targeted(attack);
  if (train.profile == train::Profile::reference)
    throw OptionError("[train] profile: 'reference' is not available yet; use 'paper'");
  if (train.select == train::Select::validation && data.validation == 0)
    throw OptionError("[train] select: 'validation' needs held-out images: --validation N");
  const auto all = data::load_dataset(data, data::Part::train);
  std::tie(training_, validation_) = data::split_validation(all, data.validation, train.seed);
  if (train.init.empty()) {
    classifier_ = models::create(model, training_.shape(), training_.num_classes, train.seed);
  } else {
    classifier_ = read_model(train.init);
    model.model = classifier_.info().name;  // what is recorded is what is trained
  }
  place(classifier_, runtime);
  load_estimators();
}

void TrainCommand::load_estimators() {
  if (train.defense != defenses::Defense::namid) {
    if (!train.estimators.empty())
      throw OptionError("[train] estimators: only the namid defence uses them");
    return;
  }
  if (train.estimators.empty())
    throw OptionError("[train] the namid defence needs --estimators RUN (made by namid estimate)");
  estimators_ = read_estimators(train.estimators);
  for (const auto* estimator : {&estimators_->natural, &estimators_->adversarial})
    estimator->to(classifier_.device());
  mi::check_estimators(estimators_->info, classifier_.info(), attack.budget,
                       train.allow_norm_mismatch);
  const auto record = std::filesystem::path(train.estimators) / "run.json";
  if (train.allow_weak_estimator || !std::filesystem::exists(record)) return;
  const auto result = run::RunFolder::open(train.estimators).read_record().value("result", json{});
  if (result.value("weak", false))
    throw OptionError(
        str("[train] estimators: ", train.estimators,
            " has a negative mean score on its own training data; train it longer, or "
            "accept it with --allow-weak-estimator"));
}

json TrainCommand::record() const {
  json record = {{"data", data_record(training_)},
                 {"model", model_record(classifier_)},
                 {"seed", train.seed},
                 {"profile", to_string(train.profile)}};
  record["data"]["validation"] = validation_.size();
  return record;
}

json TrainCommand::run(const run::RunFolder& folder, bool resume) {
  const auto objective =
      defenses::make_objective(train.defense, attack, namid, train.batch_size, estimators_);
  return train::train(classifier_, training_, validation_, data::augments(data, training_),
                      objective, attack, train,
                      {folder, &run::process_stop_token(), resume, show_progress});
}

std::string TrainCommand::summary(const json& result, const run::RunFolder& folder) const {
  std::string text = str("trained ", model.model, " (", to_string(train.defense), "), ",
                         result.value("epochs", 0), " epochs\n");
  if (const auto found = result.find("validation"); found != result.end() && found->is_object()) {
    text += str("validation: natural ", fixed(100 * found->value("natural_accuracy", 0.0), 1),
                " %, robust ", fixed(100 * found->value("robust_accuracy", 0.0), 1), " %\n");
  }
  return text + str("weights sha256 ", result.value("weights_sha256", ""), "\nrun folder ",
                    folder.path().string(), "\n");
}

void add_train(CLI::App& app) {
  add_run_command<TrainCommand>(app, "train a model with a defence");
}

}  // namespace namid::app
