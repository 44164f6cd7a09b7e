// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/command_inl.h"
#include "apps/namid/imported.h"
#include "apps/namid/inputs.h"
#include "apps/namid/mi_command.h"
#include "namid/core/log.h"
#include "namid/core/progress.h"
#include "namid/eval/compiled.h"
#include "namid/models/weights.h"
#include "namid/report/report.h"
#include "namid/run/stop_token.h"

namespace namid::app {
namespace {

/// "pgd-40", an attack's or a suite's name, with the budget of `attack`.
eval::Suite suite_of(const std::string& word, attacks::PgdOptions attack) {
  eval::SuiteOptions options;
  options.suite = word;
  if (word.starts_with("pgd-")) {
    try {
      attack.steps = static_cast<int>(detail::parse_integer(word.substr(4), 1, 1000000));
    } catch (const OptionError&) {
      throw OptionError(
          str("[mi] attacks: expected pgd-N with N from 1 to 1000000, got '", word, "'"));
    }
    options.suite = "pgd";
  }
  return eval::make_suite(options, attack);
}

/// Lines "name  mean ± sem" of {name: {"mean", "sem"}}.
std::string score_lines(const json& scores) {
  std::string text;
  for (const auto& [name, value] : scores.items())
    text += str("    ", name, std::string(30 - std::min<std::size_t>(28, name.size()), ' '),
                fixed(value.at("mean").get<double>(), 3), " ± ",
                fixed(value.at("sem").get<double>(), 3), "\n");
  return text;
}

}  // namespace

MiCommand::MiCommand() {
  attack.judge = attacks::Judge::last;
}

OptionSet MiCommand::options() {
  OptionSet set;
  set.add("", task);
  if (task.validate) return std::move(set.add("", validation).add("", runtime));
  set.add("", mi)
      .add("", imported)
      .add("", study)
      .add("", data)
      .add("", runtime)
      .add("attack", attack);
  return set;
}

void MiCommand::prepare() {
  if (std::exchange(prepared_, true)) return;
  if (task.validate) return mi::check(validation);
  validate(mi, "mi");
  validate(study, "mi");
  refuse_targeted(attack);
  if (mi.model.empty())
    throw OptionError(
        "[mi] expected the model to score, or what to try: namid mi MODEL, or namid mi --validate");
  const auto pairs = words_of(mi.estimators);
  if (pairs.empty()) throw OptionError("[mi] expected --estimators RUN (made by namid estimate)");
  for (const auto& word : words_of(mi.attacks)) attacks_.emplace_back(word, suite_of(word, attack));
  if (attacks_.empty()) throw OptionError("[mi] attacks: expected at least one, such as pgd-40");
  test_ = data::load_dataset(data, data::Part::test);
  model_ = read_model(mi.model, imported, test_, trust);
  place(model_, runtime);
  compiled_ = seen_by_attacks(model_, runtime);
  for (const auto& path : pairs) {
    auto pair = read_estimators(path);
    mi::check_estimators(pair.info, model_,
                         {.budget = attack.budget,
                          .allow_mismatch = mi::EstimatorMismatch::norm,
                          .allow_weak = true});
    for (const auto* estimator : {&pair.natural, &pair.adversarial})
      if (estimator->defined()) estimator->to(model_.device());
    estimators_.emplace_back(path, std::move(pair));
  }
  if (mi.images > 0 && mi.images < test_.size()) {
    auto rows = Random(study.seed, "mi/images").permutation(test_.size(), 0);
    rows.resize(static_cast<std::size_t>(mi.images));
    test_ = test_.rows(rows);
  }
}

json MiCommand::record() const {
  if (task.validate) return {{"seed", validation.seed}};
  auto record = attacked_record(model_, test_, model_path(mi.model, imported), study.seed);
  record["engine"] = engine_record(compiled_);
  return record;
}

json MiCommand::run(const run::RunFolder&, bool resume) {
  return task.validate ? validate_estimator(resume) : score();
}

json MiCommand::validate_estimator(bool resume) const {
  if (resume) log_info("an interrupted validation keeps nothing of what it did: it starts again");
  std::optional<Progress> line;
  const auto mode = show_progress ? ProgressMode::automatic : ProgressMode::none;
  const auto show = [&](const std::string& cell, std::int64_t done, std::int64_t total) {
    if (!line) line.emplace("estimates", total, mode);
    line->update(done, cell);
  };
  return mi::validate_estimator(
      validation,
      {.device = chosen_device(runtime), .stop = &run::process_stop_token(), .progress = show});
}

int MiCommand::exit_status(const json& result) const {
  const bool met = !task.validate || result["asked"] == result["right"];
  return met ? 0 : static_cast<int>(ExitCode::not_met);
}

json MiCommand::score() {
  const auto* stop = &run::process_stop_token();
  std::vector<at::Tensor> images;
  for (const auto& [name, suite] : attacks_) {
    if (show_progress) log_info("attack ", name);
    const auto seen = eval::through_engine(suite, compiled_.model, compiled_.kernels);
    images.push_back(eval::study_images(model_, test_, seen, study, stop));
  }
  json critics = json::array();
  for (const auto& [path, pair] : estimators_) {
    std::vector<eval::AttackScores> scored;
    for (std::size_t i = 0; i < attacks_.size(); ++i) {
      scored.push_back(eval::score_images(model_, pair, test_, images[i], study));
      scored.back().attack = attacks_[i].first;
    }
    json report = eval::study_report(scored, test_.class_names);
    report["estimators"] = path;
    report["objective"] = pair.info.objective;
    report["trained on this model"] =
        pair.info.target_sha256 == models::weights_sha256(model_.state_dict());
    critics.push_back(std::move(report));
  }
  return {{"critics", critics}};
}

std::string MiCommand::summary(const json& result, const run::RunFolder& folder) const {
  if (task.validate)
    return mi::validation_text(result) + str("run folder ", folder.path().string(), "\n");
  std::string text = "DV scores (nats; not mutual information)\n";
  for (const auto& critic : result.at("critics")) {
    const bool fresh = critic.at("trained on this model").get<bool>();
    text +=
        str("\nestimators ", critic.value("estimators", ""), " (", critic.value("objective", ""),
            fresh ? ", trained on this model)" : ", trained on another model)", "\n");
    for (const auto& attack : critic.at("attacks")) {
      text += str("  ", attack.value("name", ""), ": ", critic.value("n", 0), " images, ",
                  attack.value("right", 0), " right, ", attack.value("selected", 0),
                  " selected (Eq. 6)\n", score_lines(attack.at("scores")));
      const auto name = attack.value("name", "");
      if (critic.at("fig2").contains(name))
        text += "   Fig. 2, all samples, smallest score at 0\n" +
                score_lines(critic.at("fig2").at(name));
      if (critic.at("fig4").contains(name))
        text += "   Fig. 4, selected samples, smallest score at 0\n" +
                score_lines(critic.at("fig4").at(name));
    }
  }
  return text + str("\nreport ", report::write_report(folder.path()).string(), "\nrun folder ",
                    folder.path().string(), "\n");
}

void add_mi(CLI::App& app, std::span<const std::string> arguments) {
  add_run_command<MiCommand>(
      app, "DV scores of a model under estimators; --validate tries the MI estimator", "model",
      arguments);
}

}  // namespace namid::app
