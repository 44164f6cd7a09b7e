// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/inputs.h"
#include "apps/namid/reproduce_command.h"
#include "apps/namid/reproduce_plan.h"
#include "apps/namid/stages.h"
#include "apps/namid/transfer_command.h"
#include "namid/core/log.h"

namespace namid::app {
namespace {

constexpr std::array kCheckpoints{"last", "best"};

/// The verdicts of an evaluation that is done and whose attacks all came to their end.
std::optional<report::LedgerVerdicts> verdicts_of(const std::filesystem::path& stage) {
  if (!is_done(stage)) return std::nullopt;
  const auto record = run::RunFolder::open(stage).read_record();
  for (const auto& attacked : record.at("result").at("attacks"))
    if (attacked.contains("error")) return std::nullopt;
  return report::read_verdicts(stage / "ledger.sqlite");
}

/// Where the paper has a row; recipes name the white-box table.
std::string title_of(const std::string& table, const Recipe& recipe) {
  const auto colon = recipe.paper.find(':');
  if (!is_black_box(table) || colon == std::string::npos) return recipe.paper;
  return str("Table ", published_table(table, recipe.norm), recipe.paper.substr(colon));
}

}  // namespace

std::string ReproduceCommand::stage_of(const Recipe& recipe, const std::string& checkpoint,
                                       const std::string& column) const {
  return str(recipe.name, "-", checkpoint, is_black_box(reproduce.table) ? "-transfer-" : "-",
             column);
}

std::vector<Column> ReproduceCommand::columns_of(const Recipe& recipe) const {
  return attacked_columns(reproduce.table, recipe, reproduce.scale, reproduce.columns);
}

void ReproduceCommand::describe(EvaluateCommand& command, const Recipe& recipe,
                                const std::filesystem::path& model, int seed) const {
  command.inputs.model = model.string();
  command.evaluate.seed = static_cast<std::uint64_t>(seed);
  command.evaluate.gallery = 0;
  if (reproduce.test_limit > 0 && reproduce.test_limit < command.evaluate.compute_batch)
    command.evaluate.compute_batch = static_cast<int>(reproduce.test_limit);
  command.data.data = data_of(recipe);
  command.data.test_limit = reproduce.test_limit;
  command.runtime = runtime;
  command.show_progress = show_progress;
}

void ReproduceCommand::evaluate(const Recipe& recipe, const run::RunFolder& folder, int seed) {
  for (const std::string checkpoint : kCheckpoints) {
    for (const auto& column : columns_of(recipe)) {
      EvaluateCommand command;
      take_column(command, column);
      describe(command, recipe, folder / recipe.name / (checkpoint + ".safetensors"), seed);
      run_child(command, folder, stage_of(recipe, checkpoint, column.name));
    }
  }
}

/// One row after the other, so that all take their images from one file.
void ReproduceCommand::transfer_column(const run::RunFolder& folder, const Recipe& surrogate,
                                       const Column& column, int seed) {
  const auto path = folder / str("images-", surrogate.name, "-", column.name, ".sqlite");
  CellCommand cell;
  take_column(cell, column);
  cell.inputs.surrogate = (folder / surrogate.name).string();
  for (const auto& recipe : recipes_) {
    const bool same = recipe.data == surrogate.data && recipe.norm == surrogate.norm;
    if (!same || !is_shown(recipe) || !is_done(folder / recipe.name)) continue;
    for (const std::string checkpoint : kCheckpoints) {
      const auto stage = stage_of(recipe, checkpoint, column.name);
      if (is_done(folder / stage)) continue;
      describe(cell, recipe, folder / recipe.name / (checkpoint + ".safetensors"), seed);
      if (!cell.images) {
        cell.test = data::load_dataset(cell.data, data::Part::test);
        const auto seen = read_model(cell.inputs.surrogate, false, cell.test.shape());
        place(seen, runtime);
        cell.images = open_images(path, seen, cell.test, cell);
      }
      auto command = cell;
      command.target = read_model(command.inputs.model, false, cell.test.shape());
      place(command.target, runtime);
      try {
        run_child(command, folder, stage);
      } catch (const NumericError& error) {  // one that fails is one that is reported
        log_warning(stage, " (seed ", seed, "): ", error.what());
      }
    }
  }
  cell.images.reset();
  remove_images(path);
}

void ReproduceCommand::transfer(const run::RunFolder& folder, int seed) {
  for (const auto& recipe : recipes_) {
    if (recipe.kind != RecipeKind::surrogate) continue;
    if (!is_done(folder / recipe.name)) {
      log_warning(recipe.name, " (seed ", seed, ") has no result: its rows are not attacked");
      continue;
    }
    for (const auto& column : columns_of(recipe)) transfer_column(folder, recipe, column, seed);
  }
}

/// What a seed's evaluations found, all of them or nothing.
bool ReproduceCommand::add_verdicts(report::MeasuredRow& row, const Recipe& recipe,
                                    const std::filesystem::path& seed) const {
  auto all = row.verdicts;
  for (const std::string checkpoint : kCheckpoints) {
    auto& columns = all[checkpoint];
    bool first = true;
    for (const auto& column : columns_of(recipe)) {
      const auto read = verdicts_of(seed / stage_of(recipe, checkpoint, column.name));
      if (!read) return false;
      if (std::exchange(first, false)) columns["none"].push_back(read->natural);
      columns[column.name].push_back(read->robust);
    }
  }
  row.verdicts = std::move(all);
  return true;
}

report::MeasuredRow ReproduceCommand::measure(const Recipe& recipe,
                                              const run::RunFolder& folder) const {
  report::MeasuredRow row{.name = recipe.name,
                          .paper = title_of(reproduce.table, recipe),
                          .table = published_table(reproduce.table, recipe.norm),
                          .data = recipe.data,
                          .norm = std::string(to_string(recipe.norm)),
                          .defense = recipe.defense,
                          .variant = recipe.variant,
                          .baseline = baseline_of(recipe, recipes_)};
  for (int seed = 0; seed < seeds_of(recipe); ++seed) {
    const auto run = folder / seed_folder(seed) / recipe.name;
    if (!is_done(run)) {
      const auto record = std::filesystem::exists(run / "run.json")
                              ? run::RunFolder::open(run).read_record()
                              : json{};
      row.failures.push_back(str("seed ", seed, ": ", record.value("error", "not run")));
      continue;
    }
    if (!add_verdicts(row, recipe, folder / seed_folder(seed)))
      row.failures.push_back(str("seed ", seed, ": not every attack came to its end"));
    else
      row.seeds.push_back(static_cast<std::uint64_t>(seed));
  }
  return row;
}

}  // namespace namid::app
