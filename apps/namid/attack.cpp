// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/attack_command.h"
#include "apps/namid/command_inl.h"
#include "apps/namid/imported.h"
#include "apps/namid/inputs.h"
#include "apps/namid/progress_lines.h"
#include "namid/core/log.h"
#include "namid/io/sha256.h"
#include "namid/models/bfloat16.h"
#include "namid/run/stop_token.h"

namespace namid::app {
namespace {

constexpr const char* kSetFile = "adversarial.npz";

std::string norms_line(const json& norms) {
  std::string text;
  for (const auto* norm : {"linf", "l2", "l1", "l0"})
    if (norms[norm].is_number())
      text += str(text.empty() ? "" : ", ", norm, " ", fixed(norms[norm].get<double>(), 4));
  return text.empty() ? "" : str("median norms of the images that were fooled: ", text, "\n");
}

}  // namespace

OptionSet AttackCommand::common_options() {
  OptionSet set;
  set.add("", inputs)
      .add("", imported)
      .add("", attack)
      .add("", data)
      .add("", runtime)
      .add("", precision)
      .add("attack", choice);
  return set;
}

OptionSet AttackCommand::options() {
  if (choice.name != attack_.info().name) attack_ = attacks::NamedAttack(choice.name);
  auto set = common_options();
  attack_.add_options(set, "attack");
  return set;
}

void AttackCommand::prepare() {
  if (std::exchange(prepared_, true)) return;
  validate(attack, "attack");
  attack_.validate();
  if (inputs.model.empty())
    throw OptionError("[attack] expected the model to attack: namid attack MODEL");
  test_ = data::load_dataset(data, data::Part::test);
  classifier_ = read_model(inputs.model, imported, test_, trust);
  place(classifier_, runtime);
  if (inputs.surrogate.empty()) {
    compiled_ = seen_by_attacks(classifier_, runtime);
    return;
  }
  surrogate_ = read_surrogate(inputs.surrogate, trust, classifier_, "attack");
  place(*surrogate_, runtime);
  compiled_ = seen_by_attacks(*surrogate_, runtime);
}

json AttackCommand::record() const {
  auto record =
      attacked_record(classifier_, test_, model_path(inputs.model, imported), attack.seed);
  record["engine"] = engine_record(compiled_);
  if (precision.precision == eval::Precision::float32) record["precision"] = eval::to_json({});
  if (surrogate_) record["surrogate"] = surrogate_record(*surrogate_, inputs.surrogate);
  return record;
}

json AttackCommand::run(const run::RunFolder& folder, bool resume) {
  if (resume) log_info("an interrupted attack keeps nothing of what it did: it starts again");
  const auto& seen = surrogate_ ? *surrogate_ : classifier_;
  const auto taken = precision_of_run(precision.precision, folder, resume,
                                      {.model = seen,
                                       .float32 = compiled_.model,
                                       .dataset = test_,
                                       .compute_batch = attack.compute_batch});
  std::optional<models::Classifier> lowered;
  if (taken.bfloat16) lowered = models::in_bfloat16(seen);
  auto attacked = eval::attack_dataset({.model = classifier_,
                                        .dataset = test_,
                                        .attack = attack_,
                                        .options = attack,
                                        .stop = &run::process_stop_token(),
                                        .surrogate = surrogate_ ? &compiled_.model : nullptr,
                                        .compiled = surrogate_ ? nullptr : &compiled_.model,
                                        .bfloat16 = lowered ? &*lowered : nullptr,
                                        .near = taken.near,
                                        .progress = progress_lines(show_progress)});
  eval::write_adversarial_set(folder / kSetFile, attacked.set);
  attacked.result["set"] = kSetFile;
  attacked.result["set_sha256"] = io::sha256_file(folder / kSetFile);
  return attacked.result;
}

std::string AttackCommand::summary(const json& result, const run::RunFolder& folder) const {
  const auto& budget = attacks::NamedAttack(attack_).budget();
  const auto fooled = result.value("fooled", 0);
  const auto seen = surrogate_ ? str(" on ", inputs.surrogate, " (transfer)") : std::string();
  std::string text =
      str(choice.name, seen, ", ", budget_text(budget), ", n = ", result.value("n", 0), "\n",
          "natural accuracy ", accuracy_text(result["natural"]), "\n");
  text += result.contains("robust")
              ? str("robust accuracy, ", choice.name, " ", accuracy_text(result["robust"]), "\n")
              : str("moved to their target: ", fooled, " of ", result.value("n", 0), " images\n");
  text += norms_line(result["median_norms"]);
  text += str("as 8-bit images: ", result.value("eight_bit", 0), " of ", fooled, " hold\n");
  if (const auto refuted = result.value("refuted", 0))
    text += str("successes that the verifier did not confirm: ", refuted, "\n");
  text += rescue_text(result);
  const auto& passes = result["passes"];
  text += str(surrogate_ ? "passes of the surrogate: " : "passes: ",
              passes.value("forwards", std::int64_t{0}), " forwards, ",
              passes.value("backwards", std::int64_t{0}), " backwards\n");
  return text + str("adversarial set ", (folder / kSetFile).string(), "\nrun folder ",
                    folder.path().string(), "\n");
}

void add_attack(CLI::App& app, std::span<const std::string> arguments) {
  add_run_command<AttackCommand>(app, "run one attack and write its adversarial set", "model",
                                 arguments);
}

}  // namespace namid::app
