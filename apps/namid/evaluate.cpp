// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/evaluate.h"

#include "apps/namid/command_inl.h"
#include "apps/namid/evaluate_command.h"
#include "apps/namid/inputs.h"
#include "namid/models/weights.h"
#include "namid/run/stop_token.h"

namespace namid::app {

EvaluateCommand::EvaluateCommand() {
  attack.steps = 40;
}

std::string EvaluateCommand::default_name() const {
  return str("pgd-", attack.steps);
}

OptionSet EvaluateCommand::options() {
  OptionSet set;
  set.add("", inputs).add("", evaluate).add("", data).add("", runtime).add("attack", attack);
  return set;
}

void EvaluateCommand::prepare() {
  if (std::exchange(prepared_, true)) return;
  validate(evaluate, "evaluate");
  attacks::validate_budget(attack.budget, "attack");
  refuse_targeted(attack);
  if (inputs.model.empty())
    throw OptionError("[evaluate] expected the model to attack: namid evaluate MODEL");
  classifier_ = read_model(inputs.model);
  place(classifier_, runtime);
  test_ = data::load_dataset(data, data::Part::test);
}

json EvaluateCommand::record() const {
  json record = {{"data", data_record(test_)},
                 {"model", model_record(classifier_)},
                 {"seed", evaluate.seed},
                 {"target", inputs.model},
                 {"defense", defense_of(inputs.model)}};
  record["model"]["sha256"] = models::weights_sha256(classifier_.state_dict());
  return record;
}

json EvaluateCommand::run(const run::RunFolder& folder, bool resume) {
  return eval::evaluate(classifier_, test_, attack, evaluate, folder, &run::process_stop_token(),
                        resume, show_progress);
}

namespace {
std::string accuracy_line(const std::string& name, const json& accuracy) {
  return str(name, " ", fixed(100 * accuracy.value("accuracy", 0.0), 2), " % [",
             fixed(100 * accuracy.value("lower", 0.0), 2), ", ",
             fixed(100 * accuracy.value("upper", 0.0), 2), "]\n");
}
}  // namespace

std::string EvaluateCommand::summary(const json& result, const run::RunFolder& folder) const {
  std::string text = str("n = ", result.value("n", 0), ", ", fixed(100 * evaluate.confidence, 0),
                         " % intervals: sampling error under this attack only\n");
  text += accuracy_line("natural accuracy", result["natural"]);
  for (const auto& attacked : result["attacks"]) {
    if (attacked.contains("error")) {
      text += str(attacked.value("name", ""), " failed: ", attacked.value("error", ""), "\n");
    } else {
      text += accuracy_line("robust accuracy, " + attacked.value("name", ""), attacked["robust"]);
    }
  }
  return text + str("run folder ", folder.path().string(), "\n");
}

int EvaluateCommand::exit_status(const json& result) const {
  for (const auto& attacked : result["attacks"])
    if (attacked.contains("error")) return static_cast<int>(ExitCode::numeric);
  return 0;
}

void add_evaluate(CLI::App& app) {
  add_run_command<EvaluateCommand>(app, "attack a model and measure its accuracy", "model");
}

}  // namespace namid::app
