// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "apps/namid/command_inl.h"
#include "apps/namid/demo_command.h"
#include "apps/namid/inputs.h"
#include "apps/namid/stages.h"
#include "namid/attacks/pgd.h"
#include "namid/eval/scores.h"
#include "namid/report/report.h"

namespace namid::app {

OptionSet DemoCommand::options() {
  OptionSet set;
  set.add("", demo).add("", runtime);
  return set;
}

void DemoCommand::prepare() {
  validate(demo, "demo");
}

json DemoCommand::record() const {
  return {{"seed", demo.seed}};
}

TrainCommand DemoCommand::training(defenses::Defense defense) const {
  TrainCommand command;
  command.runtime = runtime;
  command.train.defense = defense;
  command.train.seed = demo.seed;
  command.train.epochs = demo.epochs;
  command.train.milestones = demo.milestones;
  command.train.lr = demo.lr;
  command.train.batch_size = demo.batch_size;
  command.train.allow_weak_estimator = true;  // the demo prints the scores and goes on
  command.data.train_limit = demo.train_limit;
  command.data.test_limit = demo.test_limit;
  command.model.model = "small_cnn";
  command.model.width = demo.width;
  command.attack.budget.epsilon = demo.epsilon;
  command.namid.alpha = demo.alpha;
  command.namid.lambda = demo.lambda;
  return command;
}

EstimateCommand DemoCommand::estimation(const std::filesystem::path& target) const {
  EstimateCommand command;
  command.runtime = runtime;
  command.inputs.target = target.string();
  command.estimate.seed = demo.seed;
  command.estimate.epochs = demo.estimator_epochs;
  command.estimate.milestones = demo.estimator_milestones;
  command.estimate.units = demo.units;
  command.estimate.batch_size = demo.batch_size;
  command.data.train_limit = demo.train_limit;
  command.attack.budget.epsilon = demo.epsilon;
  return command;
}

EvaluateCommand DemoCommand::evaluation(const std::filesystem::path& model) const {
  EvaluateCommand command;
  command.runtime = runtime;
  command.inputs.model = model.string();
  command.evaluate.seed = demo.seed;
  command.data.test_limit = demo.test_limit;
  command.attack.budget.epsilon = demo.epsilon;
  return command;
}

json DemoCommand::stage(RunCommand& command, const run::RunFolder& parent,
                        const std::string& name) const {
  command.show_progress = show_progress;
  return run_child(command, parent, name);
}

json DemoCommand::row(const run::RunFolder& folder, const std::string& name,
                      TrainCommand command) const {
  stage(command, folder, name);
  auto attacked = evaluation(folder / name);
  const auto result = stage(attacked, folder, name + "-evaluation");
  const auto trained = run::RunFolder::open(folder / name).read_record();
  return {{"defense", name},
          {"run", name},
          {"evaluation", name + "-evaluation"},
          {"natural", result.at("natural")},
          {"robust", result.at("robust")},
          {"n", result.at("n")},
          {"seconds", trained.value("seconds", 0.0)}};
}

json DemoCommand::run(const run::RunFolder& folder, bool) {
  json rows = json::array();
  rows.push_back(row(folder, "natural", training(defenses::Defense::natural)));
  rows.push_back(row(folder, "standard", training(defenses::Defense::standard)));
  auto estimators = estimation(folder / "standard");
  stage(estimators, folder, "estimators");
  auto namid = training(defenses::Defense::namid);
  namid.train.estimators = (folder / "estimators").string();
  rows.push_back(row(folder, "namid", namid));
  auto fresh = estimation(folder / "namid");
  stage(fresh, folder, "fresh-estimators");

  const auto test = data::load_dataset(namid.data, data::Part::test);
  const auto scores = [&](const char* model, const char* critics) {
    return eval::score_report(read_model((folder / model).string(), false, test.shape()),
                              read_estimators((folder / critics).string()), test, fresh.attack,
                              demo.seed, demo.batch_size);
  };
  return {{"rows", rows},
          {"scores",
           {{"before", scores("standard", "estimators")},
            {"after_fresh", scores("namid", "fresh-estimators")},
            {"after_training_critic", scores("namid", "estimators")}}},
          {"estimators_run", "estimators"},
          {"note", "one seed"}};
}

json DemoCommand::document(const json& result, const run::RunFolder& folder) const {
  json document = {{"run", folder.path().string()},
                   {"report", report::write_report(folder.path()).string()},
                   {"scores", result.at("scores")},
                   {"note", result.at("note")}};
  for (const auto& row : result.at("rows")) {
    const auto name = row.at("run").get<std::string>();
    document[name] = {{"natural_accuracy", row.at("natural").at("accuracy")},
                      {"robust_accuracy",
                       {{"value", row.at("robust").at("accuracy")},
                        {"lower", row.at("robust").at("lower")},
                        {"upper", row.at("robust").at("upper")}}},
                      {"n", row.at("n")},
                      {"seconds", row.at("seconds")},
                      {"run", (folder / name).string()}};
  }
  return document;
}

namespace {

std::string interval(const json& accuracy) {
  return str(fixed(100 * accuracy.value("accuracy", 0.0), 1), " [",
             fixed(100 * accuracy.value("lower", 0.0), 1), ", ",
             fixed(100 * accuracy.value("upper", 0.0), 1), "]");
}

std::string pad(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

std::string score_table(const json& scores) {
  const std::vector<std::pair<const char*, const char*>> names = {
      {"natural_on_natural", "natural estimator, natural images"},
      {"natural_on_adversarial", "natural estimator, adversarial images"},
      {"adversarial_on_natural", "adversarial estimator, natural images"},
      {"adversarial_on_adversarial", "adversarial estimator, adversarial images"}};
  std::string text = pad("DV scores (nats) on the test set", 44) + pad("before", 10) +
                     pad("after", 10) + "training critic\n";
  for (const auto& [key, shown] : names) {
    text += pad(shown, 44);
    for (const char* column : {"before", "after_fresh"})
      text += pad(fixed(scores.at(column).value(key, 0.0), 3), 10);
    text += fixed(scores.at("after_training_critic").value(key, 0.0), 3) + "\n";
  }
  return text;
}

}  // namespace

std::string DemoCommand::summary(const json& result, const run::RunFolder& folder) const {
  std::string text = str("fashion-mnist-mini, small_cnn, L-inf epsilon ", demo.epsilon,
                         ", PGD-40, one seed (", demo.seed, ")\n\n");
  text += pad("defence", 12) + pad("natural accuracy %", 24) + pad("robust accuracy %", 24) +
          pad("n", 7) + "seconds\n";
  for (const auto& row : result.at("rows"))
    text += pad(row.value("defense", ""), 12) + pad(interval(row.at("natural")), 24) +
            pad(interval(row.at("robust")), 24) + pad(std::to_string(row.value("n", 0)), 7) +
            fixed(row.value("seconds", 0.0), 0) + "\n";
  text += "\n95 % Clopper-Pearson intervals: sampling error under this attack only, one seed.\n\n";
  text += score_table(result.at("scores"));
  text +=
      "before: the standard model; after: the NAMID model under fresh estimators, and under the\n"
      "frozen ones it was trained with. Scores are not mutual information.\n\n";
  return text + "report " + report::write_report(folder.path()).string() + "\n";
}

void add_demo(CLI::App& app) {
  add_run_command<DemoCommand>(app,
                               "the whole story in minutes on the data set that ships with namid");
}

}  // namespace namid::app
