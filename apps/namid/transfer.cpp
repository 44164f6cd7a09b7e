// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "apps/namid/command_inl.h"
#include "apps/namid/inputs.h"
#include "apps/namid/stages.h"
#include "apps/namid/transfer_command.h"
#include "namid/attacks/transfer.h"
#include "namid/eval/evaluation.h"
#include "namid/eval/surrogate.h"
#include "namid/io/atomic_file.h"
#include "namid/models/bfloat16.h"
#include "namid/report/matrix_table.h"
#include "namid/report/report.h"

namespace namid::app {
namespace {

namespace fs = std::filesystem;

/// A name for a model that was given none: its run folder's, or its file's.
std::string name_of_model(const std::string& path) {
  auto given = fs::path(path).lexically_normal();
  if (given.filename().empty()) given = given.parent_path();
  auto name = given.filename().string();
  if (!fs::is_directory(given)) {
    name = given.stem().string();
    const auto folder = given.parent_path().filename().string();
    const bool general = name == "model" || name == "last" || name == "best";
    if (general && !folder.empty()) name = name == "model" ? folder : str(folder, "-", name);
  }
  for (auto& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_') c = '-';
  return name;
}

void check_model_name(const std::string& option, const std::string& name) {
  const auto odd = std::find_if(name.begin(), name.end(), [](unsigned char c) {
    return !std::isalnum(c) && c != '-' && c != '_' && c != '.' && c != '+';
  });
  if (name.empty() || odd != name.end() || name.front() == '.')
    throw OptionError(str("[transfer] ", option, ": expected a model's name of letters, digits, ",
                          "'-', '_', '+' and '.', got '", name, "'"));
}

std::string cell_name(const std::string& surrogate, const std::string& target) {
  return str(surrogate, "--", target);
}

run::RunFolder cell_folder(const run::RunFolder& folder, const std::string& name) {
  if (fs::exists(folder / name / "run.json")) return run::RunFolder::open(folder / name);
  std::error_code ignored;
  fs::remove(folder / name, ignored);  // an empty one, of a kill before its record
  return folder.create_child(name);
}

}  // namespace

std::string TransferCommand::default_name() const {
  const bool one = transfer.suite.find_first_of("(, =") == std::string::npos;
  return one ? transfer.suite : "matrix";
}

OptionSet TransferCommand::options() {
  OptionSet set;
  set.add("", transfer).add("", evaluate).add("", data).add("", runtime);
  set.add("", precision).add("attack", attack);
  return set;
}

/// What an evaluation can do and a matrix of them cannot.
void TransferCommand::check_options() const {
  validate(evaluate, "transfer");
  refuse_targeted(attack);
  const auto refuse = [](bool given, const char* option, const char* why) {
    if (given) throw OptionError(str("[transfer] ", option, ": not of a matrix: ", why));
  };
  const auto& stopping = evaluate.stopping;
  refuse(!stopping.decide.empty() || stopping.until_width > 0 || !stopping.budget.empty(),
         "decide, until_width, budget", "every cell counts all images");
  refuse(!evaluate.shard.empty(), "shard", "every cell counts all images");
  refuse(!evaluate.max_memory.empty(), "max_memory",
         "cells share one compute batch; give --compute-batch");
}

std::vector<TransferCommand::Model> TransferCommand::read_models(const std::string& option,
                                                                 const std::string& list) const {
  std::vector<Model> models;
  for (const auto& word : words_of(list)) {
    const auto equals = word.find('=');
    const bool named = equals != std::string::npos && !fs::exists(word);
    Model model{.path = named ? word.substr(equals + 1) : word};
    model.name = named ? word.substr(0, equals) : name_of_model(model.path);
    check_model_name(option, model.name);
    model.classifier = app::read_model(model.path, trust, test_.shape());
    place(model.classifier, runtime);
    model.sha256 = eval::surrogate_json(model.classifier).value("sha256", "");
    models.push_back(std::move(model));
  }
  if (models.empty())
    throw OptionError(str("[transfer] expected --", option, " RUN[,RUN...], models to ",
                          option == "targets" ? "judge" : "make adversarial images on"));
  return models;
}

void TransferCommand::check_models() const {
  for (const auto& [option, models] :
       {std::pair{"surrogates", &surrogates_}, std::pair{"targets", &targets_}})
    for (auto model = models->begin(); model != models->end(); ++model)
      for (auto other = models->begin(); other != model; ++other)
        if (other->is(*model))
          throw OptionError(str("[transfer] ", option, ": ", other->path, " and ", model->path,
                                " are the same model; name it once"));
  auto all = surrogates_;
  all.insert(all.end(), targets_.begin(), targets_.end());
  for (const auto& model : all)
    for (const auto& other : all)
      if (model.name == other.name && !model.is(other))
        throw OptionError(str("[transfer] ", model.path, " and ", other.path,
                              " would both be called '", model.name,
                              "'; give one another name: NAME=", other.path));
  for (const auto& surrogate : surrogates_)
    for (const auto& target : targets_) {
      try {
        attacks::check_surrogate(surrogate.classifier, target.classifier, "transfer");
      } catch (const OptionError& error) {
        throw OptionError(
            str(error.what(), " (surrogate ", surrogate.name, ", target ", target.name, ")"));
      }
    }
}

void TransferCommand::prepare() {
  if (std::exchange(prepared_, true)) return;
  check_options();
  columns_ = columns_of(transfer.suite, attack, transfer.aa_version);
  test_ = data::load_dataset(data, data::Part::test);
  surrogates_ = read_models("surrogates", transfer.surrogates);
  for (auto& model : surrogates_) model.compiled = seen_by_attacks(model.classifier, runtime);
  targets_ = read_models("targets", transfer.targets);
  check_models();
  for (const auto& target : targets_)
    for (const auto& column : columns_)
      eval::check_evaluation(target.classifier, test_,
                             eval::make_suite(column.suite, column.attack), evaluate);
}

json TransferCommand::record() const {
  json record = {{"seed", evaluate.seed}, {"data", data_record(test_)}};
  for (const auto& [option, models] :
       {std::pair{"surrogates", &surrogates_}, std::pair{"targets", &targets_}})
    for (const auto& model : *models)
      record[option].push_back({{"name", model.name},
                                {"path", model.path},
                                {"model", model.classifier.info().name},
                                {"defense", defense_of(model.path)},
                                {"sha256", model.sha256}});
  return record;
}

CellCommand TransferCommand::cell_command(const Model& surrogate, const Model& target,
                                          const Column& column) const {
  CellCommand command;
  command.inputs = {.model = target.path, .surrogate = surrogate.path};
  take_column(command, column);
  command.evaluate = evaluate;
  command.data = data;
  command.runtime = runtime;
  command.show_progress = show_progress;
  command.target = target.classifier;
  command.surrogate = surrogate.compiled;
  command.precision = precision;
  command.taken = surrogate.taken;
  command.test = test_;
  return command;
}

/// One target after the other, so that all take their images from one file.
void TransferCommand::run_column(const run::RunFolder& folder, const Model& surrogate,
                                 const Column& column) const {
  const auto path = folder / str("images-", surrogate.name, "-", column.name, ".sqlite");
  std::shared_ptr<eval::TransferImages> images;
  for (const auto& target : targets_) {
    const auto name = cell_name(surrogate.name, target.name);
    if (is_done(folder / name / column.name)) continue;
    auto command = cell_command(surrogate, target, column);
    if (!images)
      images = open_images(path, surrogate.seen(), test_, command,
                           surrogate.taken.bfloat16 ? "bfloat16" : "");
    command.images = images;
    const auto cell = cell_folder(folder, name);
    cell.update_record({{"command", "transfer-cell"},
                        {"surrogate", surrogate.name},
                        {"target", target.name},
                        {"status", "running"}});
    run_child(command, cell, column.name);
  }
  images.reset();
  remove_images(path);
}

json TransferCommand::cell(const run::RunFolder& folder, const Model& surrogate,
                           const Model& target) const {
  const auto name = cell_name(surrogate.name, target.name);
  run::RunFolder::open(folder / name).update_record({{"status", "done"}});
  json cell = {{"surrogate", surrogate.name},       {"target", target.name},
               {"white_box", surrogate.is(target)}, {"run", name},
               {"robust", json::object()},          {"errors", json::object()}};
  for (const auto& column : columns_) {
    const auto run = run::RunFolder::open(folder / name / column.name);
    const auto result = run.read_record().at("result");
    cell["n"] = result.at("n");
    cell["natural"] = result.at("natural");
    if (result.contains("robust")) cell["robust"][column.name] = result["robust"];
    for (const auto& attacked : result.at("attacks"))
      if (attacked.contains("error")) cell["errors"][column.name] = attacked["error"];
  }
  return cell;
}

json TransferCommand::matrix(const run::RunFolder& folder) const {
  json names = json::array(), budgets = json::array(), cells = json::array();
  for (const auto& column : columns_) {
    names.push_back(column.name);
    const auto& budget = column.attack.budget;
    budgets.push_back({{"norm", std::string(to_string(budget.norm))}, {"epsilon", budget.epsilon}});
  }
  for (const auto& surrogate : surrogates_)
    for (const auto& target : targets_) cells.push_back(cell(folder, surrogate, target));
  return {{"attacks", names}, {"budgets", budgets}, {"cells", cells}};
}

models::Classifier TransferCommand::Model::seen() const {
  return taken.bfloat16 ? models::in_bfloat16(classifier) : compiled.model;
}

/// One decision a surrogate, in its entry of the record, where a run that goes on finds it.
void TransferCommand::take_precisions(const run::RunFolder& folder, bool resume) {
  auto entries = folder.read_record().at("surrogates");
  for (std::size_t i = 0; i < surrogates_.size(); ++i) {
    auto& surrogate = surrogates_[i];
    auto& entry = entries.at(i);
    if (resume && entry.contains("precision")) {
      surrogate.taken = eval::precision_taken(entry["precision"]);
      continue;
    }
    surrogate.taken = take_precision(precision.precision,
                                     {.model = surrogate.classifier,
                                      .float32 = surrogate.compiled.model,
                                      .dataset = test_,
                                      .compute_batch = evaluate.compute_batch},
                                     surrogate.name);
    entry["precision"] = eval::to_json(surrogate.taken);
  }
  folder.update_record({{"surrogates", entries}});
}

json TransferCommand::run(const run::RunFolder& folder, bool resume) {
  take_precisions(folder, resume);
  for (const auto& surrogate : surrogates_)
    for (const auto& column : columns_) run_column(folder, surrogate, column);
  const json result = {{"matrix", matrix(folder)}};
  io::write_file_atomically(folder / "table.md", report::matrix_markdown(result["matrix"]));
  io::write_file_atomically(folder / "table.tex", report::matrix_latex(result["matrix"]));
  return result;
}

std::string TransferCommand::summary(const json& result, const run::RunFolder& folder) const {
  return str(report::matrix_text(result.at("matrix")), "\ntables ", (folder / "table.md").string(),
             ", ", (folder / "table.tex").string(), "\nreport ",
             report::write_report(folder.path()).string(), "\nrun folder ", folder.path().string(),
             "\n");
}

int TransferCommand::exit_status(const json& result) const {
  for (const auto& cell : result.at("matrix").at("cells"))
    if (!cell.at("errors").empty()) return static_cast<int>(ExitCode::numeric);
  return 0;
}

void add_transfer(CLI::App& app) {
  add_run_command<TransferCommand>(
      app, "attack surrogates once and judge the images on every target (black-box protocol)");
}

}  // namespace namid::app
