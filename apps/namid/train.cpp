// SPDX-License-Identifier: Apache-2.0
#include "namid/train/train.h"

#include <fstream>

#include "apps/namid/command_inl.h"
#include "apps/namid/imported.h"
#include "apps/namid/inputs.h"
#include "apps/namid/train_command.h"
#include "namid/defenses/registry.h"
#include "namid/models/weights.h"
#include "namid/run/stop_token.h"
#include "namid/train/profile.h"

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
  set.add("attack", attack).add("trades", trades).add("mart", mart).add("mma", mma);
  set.add("at_mim", at_mim, false).add("namid", namid).add("estimate", estimate, false);
  return set;
}

defenses::DefenseOptions TrainCommand::defense_options() const {
  return {.attack = attack,
          .trades = trades,
          .mart = mart,
          .mma = mma,
          .at_mim = at_mim,
          .namid = namid,
          .bn_updates = train.bn_updates,
          .full_batch = train.batch_size};
}

void TrainCommand::apply_profile() {
  train::apply_profile(train, {attack, trades, namid});
  auto unused = attack;  // refreshed estimators are trained with the attack of the training
  train::apply_profile(estimate, unused);
}

void TrainCommand::prepare() {
  if (std::exchange(prepared_, true)) return;
  validate(train, "train");
  attacks::validate_budget(attack.budget, "attack");
  refuse_targeted(attack);
  train::check_profile(train, attack);
  if (train.select == train::Select::validation && data.validation == 0)
    throw OptionError("[train] select: 'validation' needs held-out images: --validation N");
  if (train.select == train::Select::test && data.validation > 0)
    throw OptionError(
        "[train] select: with 'test' the test images take the place of held-out ones; leave out "
        "validation");
  load_data();
  load_estimators();
  make_model();
  place(classifier_, runtime);
  compiled_ = seen_by_attacks(classifier_, runtime);
  if (estimators_) check_estimators();
  defenses::check_defense(train.defense, defense_options(), estimators_);
  check_refresh();
}

/// What would fail in the middle of the run otherwise.
void TrainCommand::check_refresh() const {
  if (train.refresh_estimators == 0) return;
  validate(estimate, "estimate");
  if (!estimators_)
    throw OptionError(str("[train] refresh_estimators: the ", to_string(train.defense),
                          " defence has no estimators"));
  if (estimate.batch_size > training_.size())
    throw OptionError(str("[estimate] batch_size: expected at most the ", training_.size(),
                          " training images, got ", estimate.batch_size));
  mi::layer_channels(classifier_, estimate.layer);
  mi::EstimatorPair refreshed;
  refreshed.info.objective = to_string(estimate.rules.objective);
  defenses::check_defense(train.defense, defense_options(), refreshed);
  train::check_profile(estimate, attack);
}

void TrainCommand::load_data() {
  const auto all = data::load_dataset(data, data::Part::train);
  std::tie(training_, validation_) = data::split_validation(all, data.validation, train.seed);
  if (train.select == train::Select::test) validation_ = data::load_dataset(data, data::Part::test);
}

void TrainCommand::load_estimators() {
  const auto defense = to_string(train.defense);
  if (!defenses::needs_estimators(train.defense)) {
    if (!train.estimators.empty())
      throw OptionError(str("[train] estimators: the ", defense, " defence uses none"));
    return;
  }
  if (train.estimators.empty())
    throw OptionError(
        str("[train] the ", defense, " defence needs --estimators RUN (made by namid estimate)"));
  estimators_ = read_estimators(train.estimators);
}

void TrainCommand::make_model() {
  if (train.init == "scratch" || train.init.empty()) {
    classifier_ = models::create(model, training_.shape(), training_.num_classes, train.seed);
    return;
  }
  if (train.init == "target" && !estimators_)
    throw OptionError(
        "[train] init: 'target' is the model that the estimators were trained on; it needs a "
        "defence with estimators (a run folder of that name is given as ./target)");
  classifier_ = train.init == "target"
                    ? read_target_of(train.estimators, estimators_->info, training_, trust)
                    : read_model(train.init, trust, training_.shape());
  if (!classifier_.network())
    throw OptionError(str("[train] init: ", classifier_.info().name,
                          " is a program out of a file, whose train mode is gone; train a built-in "
                          "network (namid list models)"));
  model.model = classifier_.info().name;  // what is recorded is what is trained
}

void TrainCommand::check_estimators() const {
  mi::check_estimators(estimators_->info, classifier_,
                       {.budget = attack.budget,
                        .allow_mismatch = train.allow_estimator_mismatch,
                        .allow_weak = train.allow_weak_estimator});
  for (const auto* estimator : {&estimators_->natural, &estimators_->adversarial})
    if (estimator->defined()) estimator->to(classifier_.device());
}

json TrainCommand::record() const {
  json record = {{"data", data_record(training_)},
                 {"model", model_record(classifier_)},
                 {"engine", engine_record(compiled_)},
                 {"seed", train.seed},
                 {"profile", to_string(train.profile)}};
  const bool test = train.select == train::Select::test;
  record["data"][test ? "test" : "validation"] = validation_.size();
  if (train.init != "scratch")
    record["init_sha256"] = models::weights_sha256(classifier_.state_dict());
  return record;
}

json TrainCommand::run(const run::RunFolder& folder, bool resume) {
  const auto objective = defenses::make_objective(train.defense, defense_options(), estimators_);
  const train::RefreshPlan refresh{.estimate = estimate,
                                   .after = std::max(namid.mi_warmup, train.warmup_epochs),
                                   .bind = [this](const mi::EstimatorPair& pair) {
                                     return defenses::make_objective(train.defense,
                                                                     defense_options(), pair);
                                   }};
  return train::train(compiled_.model, training_, validation_, data::augments(data, training_),
                      objective, attack, train,
                      {folder, &run::process_stop_token(), resume, show_progress}, &refresh);
}

std::string TrainCommand::summary(const json& result, const run::RunFolder& folder) const {
  std::string text = str("trained ", model.model, " (", to_string(train.defense), "), ",
                         result.value("epochs", 0), " epochs\n");
  if (const auto found = result.find("validation"); found != result.end() && found->is_object()) {
    const auto images = result.value("validated_on", "validation");
    text += str(images == "test" ? "test (these images chose the weights)" : images, ": natural ",
                fixed(100 * found->value("natural_accuracy", 0.0), 1), " %, robust ",
                fixed(100 * found->value("robust_accuracy", 0.0), 1), " %\n");
  }
  return text + str("weights sha256 ", result.value("weights_sha256", ""), "\nrun folder ",
                    folder.path().string(), "\n");
}

void add_train(CLI::App& app) {
  add_run_command<TrainCommand>(app, "train a model with a defence");
}

}  // namespace namid::app
