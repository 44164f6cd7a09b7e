// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/command_inl.h"
#include "apps/namid/evaluate_command.h"
#include "apps/namid/imported.h"
#include "apps/namid/inputs.h"
#include "apps/namid/masking_command.h"
#include "apps/namid/progress_lines.h"
#include "namid/attacks/transfer.h"
#include "namid/core/log.h"
#include "namid/run/stop_token.h"

namespace namid::app {
namespace {

/// For a POSIX shell.
std::string shell_word(const std::string& word) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("-_./=,:+").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string status_sign(const std::string& status) {
  if (status == "pass") return "✓ pass";
  if (status == "warn") return "! warn";
  if (status == "fail") return "✗ FAIL";
  return "- skipped";
}

std::string measured_text(const json& measured) {
  std::string text;
  for (const auto& [name, value] : measured.items())
    if (value.is_number())
      text += str(text.empty() ? "" : ", ", name, " ", shortest(value.get<double>()));
  return text;
}

std::string check_text(const json& check) {
  const auto status = check.value("status", "");
  auto text = str(status_sign(status), "  ", check.value("name", ""), "\n");
  if (status == "pass") return text;
  text += str("    ", check.value("meaning", ""), "\n");
  if (status == "skipped") return text;
  text += str("    measured: ", measured_text(check["measured"]), "; ",
              check.value("threshold", ""), "\n");
  if (check["run_next"].is_string())
    text += str("    run next: ", check["run_next"].get<std::string>(), "\n");
  return text;
}

std::string breaker_text(const json& row) {
  const auto percent = [&](const char* key) { return fixed(100 * row.value(key, 0.0), 1); };
  return str("broken by ", row.value("attack", ""), ": accuracy ", percent("accuracy_before"),
             " % -> ", percent("accuracy_after"), " %\n");
}

}  // namespace

std::string masking_text(const json& masking) {
  const auto& white = masking["white_box"];
  auto text = str("masking checks on ", masking.value("images", 0), " images against ",
                  white.value("attack", ""), ", ", white.value("norm", ""), ", epsilon ",
                  shortest(white.value("epsilon", 0.0)), "\nnatural accuracy ",
                  accuracy_text(masking["natural"]), "\nunder the white-box attack ",
                  accuracy_text(white["robust"]), "\n");
  if (white.contains("error"))
    text += str("the white-box attack failed: ", white.value("error", ""), "\n");
  for (const auto& check : masking["checks"]) text += check_text(check);
  for (const auto& row : masking["broken_by"]) text += breaker_text(row);
  return text + str("masking: ", masking.value("verdict", ""), "\n");
}

OptionSet MaskingCommand::options() {
  OptionSet set;
  set.add("", inputs)
      .add("", imported)
      .add("", work)
      .add("", data)
      .add("", runtime)
      .add("attack", attack)
      .add("masking", masking, false);
  return set;
}

void MaskingCommand::prepare() {
  if (std::exchange(prepared_, true)) return;
  validate(work, "masking");
  validate(masking, "masking");
  validate(attack, "attack");
  refuse_targeted(attack);
  attacks::validate_budget(attack.budget, "attack");
  if (inputs.model.empty())
    throw OptionError("[masking] expected the model to look at: namid masking MODEL");
  test_ = data::load_dataset(data, data::Part::test);
  classifier_ = read_model(inputs.model, imported, test_, trust);
  place(classifier_, runtime);
  if (inputs.surrogate.empty()) return;
  surrogate_ = app::read_model(inputs.surrogate, trust, classifier_.info().input_shape);
  place(*surrogate_, runtime);
  attacks::check_surrogate(*surrogate_, classifier_, "masking");
}

json MaskingCommand::record() const {
  auto record = attacked_record(classifier_, test_, model_path(inputs.model, imported), work.seed);
  if (surrogate_) record["surrogate"] = surrogate_record(*surrogate_, inputs.surrogate);
  return record;
}

json MaskingCommand::run(const run::RunFolder&, bool resume) {
  if (resume) log_info("interrupted checks keep nothing of what they did: they start again");
  auto masking = report(
      {.model = classifier_, .dataset = test_, .surrogate = surrogate_ ? &*surrogate_ : nullptr});
  return {{"n", masking["images"]}, {"masking", std::move(masking)}};
}

json MaskingCommand::report(const Looked& looked) const {
  const auto model = models::with_logits(looked.model, inputs.outputs);
  return eval::masking_report(
      {.model = model,
       .dataset = looked.dataset,
       .attack = attack,
       .options = masking,
       .seed = work.seed,
       .compute_batch = work.compute_batch,
       .surrogate = looked.surrogate,
       .surrogate_path = shell_word(inputs.surrogate),
       .stop = &run::process_stop_token(),
       .command = [this](const std::string& flags) { return evaluate_line(flags); },
       .progress = progress_lines(show_progress)});
}

/// `namid evaluate` of the same model on the same images in the same ball.
std::string MaskingCommand::evaluate_line(const std::string& flags) const {
  EvaluateCommand same;
  same.inputs.model = inputs.model;
  same.inputs.outputs = inputs.outputs;
  same.imported = imported;
  same.data = data;
  const auto limit = masking.images;
  same.data.test_limit = data.test_limit > 0 ? std::min(limit, data.test_limit) : limit;
  same.attack.budget = attack.budget;
  same.evaluate.seed = work.seed;
  same.runtime = runtime;
  std::string line;
  for (const auto& word : command_line(same)) line += (line.empty() ? "" : " ") + shell_word(word);
  return str(line, trust ? " --trust " : " ", flags);
}

std::string MaskingCommand::summary(const json& result, const run::RunFolder& folder) const {
  return masking_text(result["masking"]) + str("run folder ", folder.path().string(), "\n");
}

int MaskingCommand::exit_status(const json& result) const {
  const bool failed = result["masking"].value("verdict", "") == "fail";
  return failed ? static_cast<int>(ExitCode::not_met) : 0;
}

void add_masking(CLI::App& app) {
  add_run_command<MaskingCommand>(app, "does the model hide its gradients instead of being robust?",
                                  "model");
}

}  // namespace namid::app
