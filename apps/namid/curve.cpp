// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/curve.h"

#include <c10/util/accumulate.h>

#include "apps/namid/command_inl.h"
#include "apps/namid/curve_command.h"
#include "apps/namid/imported.h"
#include "apps/namid/inputs.h"
#include "namid/eval/accuracy.h"
#include "namid/eval/compiled.h"
#include "namid/eval/evaluation.h"
#include "namid/io/atomic_file.h"
#include "namid/run/stop_token.h"

namespace namid::app {
namespace {

eval::CurveData joined_data(const std::string& runs) {
  std::vector<eval::NamedLedger> ledgers;
  for (const auto& run : words_of(runs))
    ledgers.push_back({run, eval::Ledger::open(resolve_input(run, "ledger.sqlite", "ledger"))});
  return eval::joined_curve_data(ledgers);
}

json result_of(const eval::CurveData& data, double confidence) {
  std::int64_t right = 0;
  for (const auto& [sample, correct] : data.natural) right += correct;
  const auto n = std::ssize(data.natural);
  return {{"n", n},
          {"natural", eval::accuracy_json(right, n, confidence)},
          {"curve", eval::curve_json(data, confidence)}};
}

/// What the evaluation says of itself, without the accuracies under budgets as large as the box.
void take_over(json& result, const json& evaluated) {
  for (const auto* key : {"compute_batch", "self_test"})
    if (evaluated.contains(key)) result[key] = evaluated[key];
  for (const auto& attack : evaluated["attacks"])
    if (attack.contains("error"))
      result["errors"].push_back({{"name", attack["name"]}, {"error", attack["error"]}});
}

}  // namespace

CurveCommand::CurveCommand() {
  suite.suite = "autoattack";
}

std::string CurveCommand::default_name() const {
  if (!curve.from.empty()) return "assembled";
  return str(to_string(attack.norm), curve.epsilons.empty() ? "" : "-sweep");
}

OptionSet CurveCommand::options() {
  OptionSet set;
  set.add("", inputs)
      .add("", imported)
      .add("", curve)
      .add("", suite)
      .add("", evaluate)
      .add("", data)
      .add("", runtime)
      .add("attack", attack);
  return set;
}

void CurveCommand::check_modes() const {
  validate(evaluate, "curve");
  eval::check_curve(evaluate);
  if (!curve.from.empty() && (!inputs.model.empty() || !curve.epsilons.empty()))
    throw OptionError("[curve] from: takes runs that are there; leave out MODEL and --epsilons");
  if (curve.from.empty() && inputs.model.empty())
    throw OptionError(
        "[curve] expected the model to attack, or runs: namid curve MODEL, namid curve --from RUN");
  if (!curve.epsilons.empty() && (curve.anchors != "auto" || curve.curve_attacks != "auto"))
    throw OptionError(
        "[curve] epsilons: a sweep has no searches and no anchors; leave out --curve-attacks and "
        "--anchors");
}

void CurveCommand::prepare() {
  if (std::exchange(prepared_, true)) return;
  check_modes();
  if (!curve.from.empty()) {
    joined_data(curve.from);  // what is wrong with it is said before a folder is made
    return;
  }
  test_ = data::load_dataset(data, data::Part::test);
  classifier_ = read_model(inputs.model, imported, test_, trust);
  place(classifier_, runtime);
  compiled_ = seen_by_attacks(classifier_, runtime);
  const auto& shape = classifier_.info().input_shape;
  attacks_ =
      curve.epsilons.empty()
          ? eval::search_suite(curve, attack.norm, shape, classifier_.info().num_classes)
          : eval::sweep_suite(
                suite, attack.norm,
                eval::parse_radii(curve.epsilons, "epsilons", 1,
                                  eval::box_radius(attack.norm, c10::multiply_integers(shape))));
  eval::check_evaluation(classifier_, test_, attacks_, evaluate);
}

json CurveCommand::record() const {
  if (curve.from.empty()) {
    auto record =
        attacked_record(classifier_, test_, model_path(inputs.model, imported), evaluate.seed);
    record["engine"] = engine_record(compiled_);
    return record;
  }
  json record{{"runs", words_of(curve.from)}};
  const std::filesystem::path first = words_of(curve.from).front();
  if (!std::filesystem::exists(first / "run.json")) return record;
  const auto evaluated = run::RunFolder::open(first).read_record();
  for (const auto* key : {"data", "model"})
    if (evaluated.contains(key)) record[key] = evaluated[key];
  return record;
}

json CurveCommand::evaluated(const run::RunFolder& folder, bool resume) const {
  if (!curve.from.empty()) return {{"attacks", json::array()}};
  const auto suite = eval::through_engine(attacks_, compiled_.model, compiled_.kernels);
  return eval::evaluate(classifier_, test_, suite, evaluate, folder, &run::process_stop_token(),
                        resume, show_progress);
}

json CurveCommand::run(const run::RunFolder& folder, bool resume) {
  const auto evaluated = this->evaluated(folder, resume);
  const auto rows = curve.from.empty()
                        ? eval::data_of(eval::Ledger::open(folder / "ledger.sqlite"), attacks_)
                        : joined_data(curve.from);
  auto result = result_of(rows, evaluate.confidence);
  take_over(result, evaluated);
  io::write_file_atomically(folder / "curve.csv", eval::curve_csv(rows, evaluate.confidence));
  return result;
}

int CurveCommand::exit_status(const json& result) const {
  return result.contains("errors") ? static_cast<int>(ExitCode::numeric) : 0;
}

void add_curve(CLI::App& app) {
  add_run_command<CurveCommand>(app, "robust accuracy as a function of epsilon", "model");
}

}  // namespace namid::app
