// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "apps/namid/flags.h"
#include "apps/namid/imported.h"
#include "apps/namid/inputs.h"
#include "apps/namid/verify_command.h"
#include "namid/core/progress.h"
#include "namid/eval/accuracy.h"
#include "namid/models/weights.h"
#include "namid/run/stop_token.h"

namespace namid::app {
namespace {

/// Everything there is to tell.
struct Findings {
  const eval::AdversarialSet& set;
  attacks::Budget budget;
  std::vector<eval::CheckedRow> rows;
  eval::SetCounts counts;
  std::string data_name, model, data;  ///< model, data: "same", "other" or "not said"
  json robust;
};

std::string compare(const std::string& said, const std::string& found) {
  return said.empty() ? "not said" : said == found ? "same" : "other";
}

json document(const Findings& found) {
  json failures = json::array();
  for (const auto& row : found.rows)
    if (row.claimed && !row.holds()) failures.push_back(eval::row_json(row));
  const auto& counts = found.counts;
  return {{"set", found.set.file},
          {"norm", to_string(found.budget.norm)},
          {"epsilon", found.budget.epsilon},
          {"attack", found.set.attack},
          {"attack_options", found.set.options},
          {"model", found.model},
          {"data", found.data},
          {"rows", counts.rows},
          {"claimed", counts.claimed},
          {"confirmed", counts.confirmed},
          {"failed", counts.failed()},
          {"understated", counts.understated},
          {"eight_bit", counts.eight_bit},
          {"images", counts.images},
          {"broken_images", counts.broken_images},
          {"robust", found.robust},
          {"failures", failures}};
}

std::string origin_line(const std::string& what, const std::string& said) {
  if (said == "other")
    return str("note: the set was made with another ", what, " (its sha256 differs)\n");
  return "";
}

std::string failing_rows(const Findings& found, int most) {
  std::string text;
  int shown = 0;
  for (const auto& row : found.rows) {
    if (!row.claimed || row.holds()) continue;
    if (shown++ == most) break;
    text += str("  row ", row.row, " (index ", row.index, "): ", row.problem, "\n");
  }
  const auto more = found.counts.failed() - std::min<std::int64_t>(most, found.counts.failed());
  return more == 0 ? text : text + str("  and ", more, " more (--rows N, --json)\n");
}

std::string share(const json& accuracy) {
  const auto percent = [&](const char* key) { return fixed(100 * accuracy.value(key, 0.0), 2); };
  return str(percent("accuracy"), " % [", percent("lower"), ", ", percent("upper"), "]");
}

std::string summary(const Findings& found, int most_rows) {
  const auto& counts = found.counts;
  std::string text = str(found.set.file, ": ", counts.rows, " rows, ", counts.images, " images of ",
                         found.data_name, ", ", budget_text(found.budget), "\n");
  if (!found.set.attack.empty()) text += str("attack as the set says: ", found.set.attack, "\n");
  text += origin_line("model", found.model) + origin_line("data", found.data);
  text += str("claims: ", counts.claimed, ", confirmed ", counts.confirmed, ", failed ",
              counts.failed(), "\n");
  text += failing_rows(found, most_rows);
  if (counts.understated > 0)
    text += str("rows that claim nothing and fool the model: ", counts.understated, "\n");
  text += str("as 8-bit images: ", counts.eight_bit, " of ", counts.confirmed,
              " confirmed claims hold\n");
  if (counts.images > 0)
    text += str("robust accuracy of these images is at most ", share(found.robust), " (",
                counts.images - counts.broken_images, " of ", counts.images, " not broken)\n");
  return text + (counts.failed() == 0 ? "every claim holds\n" : "the set's claims do not hold\n");
}

}  // namespace

OptionSet VerifyCommand::options() {
  OptionSet set;
  set.add("", verify).add("", imported).add("", data).add("", runtime);
  return set;
}

attacks::Budget VerifyCommand::budget(const eval::AdversarialSet& set) const {
  const auto require = [&](bool known, const char* what) {
    if (!known)
      throw OptionError(str("[verify] ", what, ": ", set.file, " does not say it; give --", what));
  };
  require(set.norm.has_value() || !verify.norm.is_auto(), "norm");
  const auto norm = verify.norm.value_or(set.norm.value_or(attacks::Norm::linf));
  if (norm == attacks::Norm::none) return {norm, 0};
  require(set.epsilon.has_value() || !verify.epsilon.is_auto(), "epsilon");
  const attacks::Budget budget{.norm = norm,
                               .epsilon = verify.epsilon.value_or(set.epsilon.value_or(0))};
  try {
    using enum attacks::Norm;
    attacks::validate_budget(budget, "verify", {linf, l2, l1, l0, wasserstein});
  } catch (const OptionError& error) {
    if (verify.epsilon.is_auto()) throw DataError(str(set.file, ": ", error.what()));
    throw;
  }
  return budget;
}

int VerifyCommand::run() {
  validate(verify, "verify");
  apply_runtime(runtime);
  const auto set = eval::read_adversarial_set(set_file);
  const auto allowed = budget(set);
  const auto dataset = data::load_dataset(data, data::Part::test);
  const auto model = read_model(model_file, imported, dataset, trust);
  place(model, runtime);
  Findings found{.set = set, .budget = allowed, .data_name = dataset.name};
  {
    Progress line("verify", set.size(), quiet ? ProgressMode::none : ProgressMode::automatic);
    found.rows = eval::check_set({.model = model,
                                  .dataset = dataset,
                                  .budget = allowed,
                                  .compute_batch = verify.compute_batch,
                                  .cast = verify.cast,
                                  .stop = &run::process_stop_token(),
                                  .progress = [&](auto done, auto) { line.update(done); }},
                                 set);
  }
  found.counts = eval::count_rows(found.rows);
  found.model = compare(set.model_sha256, models::weights_sha256(model.state_dict()));
  found.data = compare(set.data_sha256, eval::data_sha256(dataset, set));
  if (found.counts.images > 0)
    found.robust = eval::accuracy_json(found.counts.images - found.counts.broken_images,
                                       found.counts.images, verify.confidence);
  if (as_json) {
    std::puts(document(found).dump(2).c_str());
  } else {
    std::fputs(summary(found, verify.rows).c_str(), stdout);
  }
  return found.counts.failed() == 0 ? 0 : static_cast<int>(ExitCode::not_met);
}

void add_verify(CLI::App& app) {
  struct State {
    VerifyCommand command;
    std::unique_ptr<Flags> flags;
  };
  auto state = std::make_shared<State>();
  auto& command = state->command;
  auto* sub = app.add_subcommand("verify", "re-check somebody's adversarial set");
  sub->add_option("SET", command.set_file, "adversarial set, an .npz file")->required();
  sub->add_option("MODEL", command.model_file, "model run or file")->required();
  sub->add_flag("--json", command.as_json, "print one JSON document on stdout")->group("Output");
  sub->add_flag("--quiet", command.quiet, "no progress on stderr")->group("Output");
  add_trust_flag(*sub, command.trust);
  state->flags = std::make_unique<Flags>(*sub, command.options());
  sub->callback([state] {
    state->flags->apply();
    if (const int code = state->command.run()) throw Exit{code};
  });
}

}  // namespace namid::app
