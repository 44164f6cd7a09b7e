// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/command_inl.h"
#include "apps/namid/inputs.h"
#include "apps/namid/jobs.h"
#include "apps/namid/mi_command.h"
#include "apps/namid/reproduce_command.h"
#include "apps/namid/reproduce_plan.h"
#include "apps/namid/stages.h"
#include "namid/core/log.h"
#include "namid/io/atomic_file.h"
#include "namid/report/figure_scores.h"
#include "namid/report/report.h"
#include "namid/run/stop_token.h"

namespace namid::app {

std::string seed_folder(int seed) {
  return str("seed-", seed < 10 ? "0" : "", seed);
}

std::string ReproduceCommand::default_name() const {
  return str(reproduce.table, "-", to_string(reproduce.scale));
}

OptionSet ReproduceCommand::options() {
  OptionSet set;
  set.add("", reproduce).add("", runtime);
  return set;
}

void ReproduceCommand::prepare() {
  if (std::exchange(prepared_, true)) return;
  validate(reproduce, "reproduce");
  const bool tiny = reproduce.scale == Scale::tiny;
  recipes_ = plan_of({.table = reproduce.table,
                      .norms = reproduce.norms,
                      .rows = reproduce.rows,
                      .cifar10 = tiny || !reproduce.cifar10.empty(),
                      .tiny_imagenet = !tiny && !reproduce.tiny_imagenet.empty()},
                     make_recipes(reproduce.scale));
  change_recipes(recipes_, reproduce.changes);
  if (recipes_.empty())
    throw OptionError(str("[reproduce] expected the data of at least one row of ", reproduce.table,
                          " at scale ", to_string(reproduce.scale),
                          ": --cifar10 PATH or --tiny-imagenet PATH"));
}

json ReproduceCommand::record() const {
  json names = json::array();
  for (const auto& recipe : recipes_) names.push_back(recipe.name);
  return {{"seed", 0}, {"recipes", names}};
}

int ReproduceCommand::seeds_of(const Recipe& recipe) const {
  if (recipe.kind == RecipeKind::surrogate) return std::max(reproduce.seeds, reproduce.main_seeds);
  const bool main =
      reproduce.main_seeds > 0 && recipe.variant.empty() &&
      (recipe.defense == "standard" || recipe.defense == "namid" || recipe.defense == "selected");
  return main ? reproduce.main_seeds : reproduce.seeds;
}

bool ReproduceCommand::is_shown(const Recipe& recipe) const {
  const bool figure = std::any_of(recipes_.begin(), recipes_.end(), [](const Recipe& each) {
    return each.kind == RecipeKind::study;
  });
  return is_row(recipe) && !figure;
}

std::string ReproduceCommand::data_of(const Recipe& recipe) const {
  if (reproduce.scale == Scale::tiny) return data::DataOptions{}.data;
  return recipe.data == "cifar10" ? reproduce.cifar10 : reproduce.tiny_imagenet;
}

void ReproduceCommand::run_recipe(const Recipe& recipe, const run::RunFolder& folder, int seed) {
  std::vector<std::string> needed;
  for (const auto& need : recipe.needs) needed.push_back((folder / need).string());
  const auto adjust = [&](auto& command, auto& options) {
    recipe.apply(command.options());
    options.seed = static_cast<std::uint64_t>(seed);
    command.data.data = data_of(recipe);
    command.runtime = runtime;
    command.show_progress = show_progress;
    run_child(command, folder, recipe.name);
  };
  if (recipe.command == "estimate") {
    EstimateCommand command;
    command.inputs.target = joined(needed);
    return adjust(command, command.estimate);
  }
  if (recipe.command == "mi") {
    MiCommand command;
    const auto* estimators = find_recipe(recipes_, recipe.needs.front());
    command.mi.model = (folder / estimators->needs.front()).string();
    command.mi.estimators = joined(needed, ",");
    return adjust(command, command.study);
  }
  TrainCommand command;
  command.train.estimators = joined(needed);
  command.train.allow_weak_estimator = true;  // its scores are in the record and in the report
  adjust(command, command.train);
}

void ReproduceCommand::run_seed(const run::RunFolder& folder, int seed) {
  for (const auto& recipe : recipes_) {
    if (seed >= seeds_of(recipe)) continue;
    const auto missing = std::find_if_not(recipe.needs.begin(), recipe.needs.end(),
                                          [&](const auto& need) { return is_done(folder / need); });
    if (missing != recipe.needs.end()) {
      log_warning(recipe.name, " (seed ", seed, ") is left out: ", *missing, " has no result");
      continue;
    }
    try {
      run_recipe(recipe, folder, seed);
      if (is_shown(recipe) && !is_black_box(reproduce.table)) evaluate(recipe, folder, seed);
    } catch (const NumericError& error) {  // one row that diverges is one row that is reported
      log_warning(recipe.name, " (seed ", seed, "): ", error.what());
    }
  }
  if (is_black_box(reproduce.table)) transfer(folder, seed);
}

void ReproduceCommand::run_seeds(const run::RunFolder& folder, int job) {
  const int most = std::max(reproduce.seeds, reproduce.main_seeds);
  for (int seed = job; seed < most; seed += reproduce.jobs) {
    const auto path = folder / seed_folder(seed);
    const bool there = std::filesystem::exists(path / "run.json");
    const auto child = there ? run::RunFolder::open(path) : folder.create_child(seed_folder(seed));
    child.update_record({{"command", "reproduce-seed"}, {"seed", seed}, {"status", "running"}});
    run_seed(child, seed);
    child.update_record({{"status", "done"}});
  }
}

json ReproduceCommand::scores(const run::RunFolder& folder) const {
  json all = json::array();
  for (const auto& recipe : recipes_) {
    if (recipe.kind != RecipeKind::study) continue;
    std::vector<json> studies;
    for (int seed = 0; seed < seeds_of(recipe); ++seed) {
      const auto run = folder / seed_folder(seed) / recipe.name;
      if (is_done(run)) studies.push_back(run::RunFolder::open(run).read_record().at("result"));
    }
    all = report::figure_scores(recipe.defense, studies);
  }
  return all;
}

json ReproduceCommand::result(const run::RunFolder& folder) const {
  std::vector<report::MeasuredRow> rows;
  for (const auto& recipe : recipes_)
    if (is_shown(recipe)) rows.push_back(measure(recipe, folder));
  const auto judge = judge_name(reproduce.scale);
  return {{"table", reproduce.table},
          {"scale", to_string(reproduce.scale)},
          {"judge", judge},
          {"rows", report::reproduction_rows(rows, judge)},
          {"scores", scores(folder)}};
}

std::string ReproduceCommand::tables(const json& result, report::TableFormat format) const {
  if (result.at("scores").empty())
    return report::reproduction_table(result.at("rows"), result.at("judge"), format);
  return report::text_table(report::score_lines(result.at("scores")), format) +
         "\nDV scores in nats (not mutual information), smallest at 0, mean ± standard deviation "
         "over seeds.\n";
}

std::string ReproduceCommand::heading() const {
  if (reproduce.scale == Scale::full) return str(reproduce.table, " at full scale\n");
  return str(reproduce.table, " at ", to_string(reproduce.scale), " scale: measured on ",
             reproduce.scale == Scale::tiny ? data::DataOptions{}.data + ", small_cnn"
                                            : "a part of the data, resnet18 of width 16",
             "; published: the paper's data and network. apgd: APGD-CE, then APGD-T.\n",
             is_black_box(reproduce.table)
                 ? "Black-box: images made on a surrogate after standard adversarial training.\n"
                 : "",
             reproduce.changes.empty() ? "" : str("Changed: ", reproduce.changes, "\n"));
}

json ReproduceCommand::run(const run::RunFolder& folder, bool) {
  if (reproduce.jobs == 1) {
    run_seeds(folder, 0);
  } else {
    run_jobs(reproduce.jobs, [&](int job) { run_seeds(folder, job); });
  }
  const json all = result(folder);
  io::write_file_atomically(folder / "table.md",
                            heading() + "\n" + tables(all, report::TableFormat::markdown));
  return all;
}

std::string ReproduceCommand::summary(const json& result, const run::RunFolder& folder) const {
  return str(reproduce.table, " at scale ", to_string(reproduce.scale), "\n\n",
             tables(result, report::TableFormat::text), "\nreport ",
             report::write_report(folder.path()).string(), "\nrun folder ", folder.path().string(),
             "\n");
}

void add_reproduce(CLI::App& app) {
  add_run_command<ReproduceCommand>(
      app, "run the paper's tables and figures at a scale; published beside measured", "table");
}

}  // namespace namid::app
