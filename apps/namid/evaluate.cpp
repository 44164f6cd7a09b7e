// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/evaluate.h"

#include "apps/namid/command_inl.h"
#include "apps/namid/evaluate_command.h"
#include "apps/namid/imported.h"
#include "apps/namid/inputs.h"
#include "apps/namid/masking_command.h"
#include "apps/namid/progress_lines.h"
#include "namid/core/statistics.h"
#include "namid/eval/certification.h"
#include "namid/eval/compiled.h"
#include "namid/eval/evaluation.h"
#include "namid/eval/memory.h"
#include "namid/eval/rescue.h"
#include "namid/eval/surrogate.h"
#include "namid/eval/verifier.h"
#include "namid/models/bfloat16.h"
#include "namid/run/stop_token.h"

namespace namid::app {

EvaluateCommand::EvaluateCommand() {
  attack.steps = 40;
}

std::string EvaluateCommand::default_name() const {
  if (!inputs.surrogate.empty()) return "transfer-" + suite_name();
  if (!adaptive.estimators.empty()) return "adaptive";
  return suite_name();
}

std::string EvaluateCommand::suite_name() const {
  if (suite.suite == "pgd") return str("pgd-", attack.steps);
  const auto list = suite.suite.find_first_of("(, ");
  return list == std::string::npos ? suite.suite : suite.suite.substr(0, list) + "-list";
}

OptionSet EvaluateCommand::options() {
  OptionSet set;
  set.add("", inputs)
      .add("", imported)
      .add("", suite)
      .add("", evaluate)
      .add("", certified)
      .add("", data)
      .add("", runtime)
      .add("", precision)
      .add("attack", attack)
      .add("adaptive", adaptive, false)
      .add("masking", masked, false)
      .add("masking", masking, false);
  return set;
}

void EvaluateCommand::prepare_attacks() {
  validate(evaluate, "evaluate");
  refuse_targeted(attack);
  if (!inputs.surrogate.empty() && !adaptive.estimators.empty())
    throw OptionError(
        "[evaluate] surrogate: attacks on the scores of estimators see the model itself; leave out "
        "--adaptive-estimators or --surrogate");
  attacks_ = plain_ = eval::make_suite(suite, attack);
  check_precision();
  if (!masked.checks) return;
  validate(masking, "masking");
  attacks::validate_budget(attack.budget, "attack");
}

/// What bfloat16 would spoil, or would not be true of.
void EvaluateCommand::check_precision() {
  if (precision.precision == eval::Precision::float32) {
    if (!taken_) taken_.emplace();
    return;
  }
  const auto refuse = [&](bool given, const char* why) {
    if (given)
      throw OptionError(str("[evaluate] precision: expected float32 with ", why, ", got ",
                            to_string(precision.precision)));
  };
  refuse(inputs.outputs == models::Outputs::probabilities,
         "--outputs probabilities, of which bfloat16 keeps 8 bits");
  refuse(suite.compat != attacks::Compat::none, "--compat, which repeats float32 code");
  refuse(!adaptive.estimators.empty(),
         "--adaptive-estimators, whose attacks share images that one model made");
}

void EvaluateCommand::prepare() {
  if (std::exchange(prepared_, true)) return;
  prepare_attacks();
  if (inputs.model.empty())
    throw OptionError("[evaluate] expected the model to attack: namid evaluate MODEL");
  test_ = data::load_dataset(data, data::Part::test);
  classifier_ = read_model(inputs.model, imported, test_, trust);
  place(classifier_, runtime);
  compiled_ = seen_by_attacks(classifier_, runtime);
  if (!adaptive.estimators.empty()) add_adaptive_attacks();
  see_surrogate();
  eval::check_evaluation(classifier_, test_, attacks_, evaluate);
  if (certified.wanted()) check_certificates();
}

void EvaluateCommand::see_surrogate() {
  if (inputs.surrogate.empty()) return;
  eval::check_classes(attacks_, classifier_.info().num_classes);
  const auto surrogate = app::read_model(inputs.surrogate, trust, classifier_.info().input_shape);
  place(surrogate, runtime);
  compiled_ = seen_by_attacks(surrogate, runtime);
  attacks_ = eval::through_surrogate(std::move(attacks_), compiled_.model);
  attacks_.kernels = compiled_.kernels;
}

void EvaluateCommand::add_adaptive_attacks() {
  const auto estimators = read_estimators(adaptive.estimators);
  mi::check_estimators(
      estimators.info, classifier_,
      {.budget = attack.budget, .allow_mismatch = mi::EstimatorMismatch::norm, .allow_weak = true});
  for (const auto* estimator : {&estimators.natural, &estimators.adversarial})
    if (estimator->defined()) estimator->to(classifier_.device());
  for (auto& entry :
       eval::adaptive_attacks(estimators, test_, attack.budget, evaluate.seed, adaptive))
    attacks_.attacks.push_back(std::move(entry));
}

json EvaluateCommand::record() const {
  auto record =
      attacked_record(classifier_, test_, model_path(inputs.model, imported), evaluate.seed);
  record["engine"] = engine_record(compiled_);
  if (attacks_.surrogate)
    record["surrogate"] = surrogate_record(*attacks_.surrogate, inputs.surrogate);
  if (taken_) record["precision"] = eval::to_json(*taken_);
  return record;
}

/// The suite, its attacks shown what they are to see: the model compiled, in bfloat16, a surrogate.
eval::Suite EvaluateCommand::suite_as_seen(const run::RunFolder& folder, bool resume) {
  const auto& seen = attacks_.surrogate ? *attacks_.surrogate : classifier_;
  if (!taken_)
    taken_ =
        precision_of_run(precision.precision, folder, resume,
                         {.model = seen,
                          .float32 = compiled_.kernels.empty() ? seen : compiled_.model,
                          .dataset = test_,
                          .compute_batch = eval::fitting_compute_batch(
                              classifier_, test_, evaluate.compute_batch, evaluate.max_memory)});
  if (attacks_.surrogate) {
    if (!taken_->bfloat16 || !attacks_.precision.empty()) return attacks_;
    return eval::through_surrogate_in_bfloat16(plain_, models::in_bfloat16(seen));
  }
  auto suite = attacks_;
  if (taken_->bfloat16)
    suite =
        eval::through_bfloat16(std::move(suite), models::in_bfloat16(classifier_), taken_->near);
  return eval::through_engine(
      std::move(suite), models::with_logits(compiled_.model, inputs.outputs), compiled_.kernels);
}

json EvaluateCommand::run(const run::RunFolder& folder, bool resume) {
  const auto model = models::with_logits(classifier_, inputs.outputs);
  const auto suite = suite_as_seen(folder, resume);
  auto result = eval::evaluate(model, test_, suite, evaluate, folder, &run::process_stop_token(),
                               resume, show_progress);
  if (masked.checks) result["masking"] = masking_result();
  if (certified.wanted()) add_certificates(result, folder);
  return result;
}

void EvaluateCommand::check_certificates() const {
  if (eval::StoppingRule(evaluate.stopping, test_.size()).active())
    throw OptionError(
        "[evaluate] certify: the interval of the certified accuracy needs a sample size that is "
        "fixed beforehand; leave out the stopping rule");
  eval::check_certification(classifier_, eval::common_budget(attacks_), certified.options());
}

void EvaluateCommand::add_certificates(json& result, const run::RunFolder& folder) const {
  const auto budget = eval::common_budget(attacks_);
  // No verified success may lie outside of what is certified; beyond 1 the box holds the rest.
  const auto allowed = eval::allowed_norm(budget);
  const auto radius = budget.norm == attacks::Norm::linf ? std::min(1.0, allowed) : allowed;
  const auto found = eval::certify_ledger({.model = classifier_,
                                           .dataset = test_,
                                           .budget = budget,
                                           .options = certified.options(),
                                           .radius = radius,
                                           .folder = folder.path(),
                                           .confidence = evaluate.confidence,
                                           .gallery = evaluate.gallery,
                                           .stop = &run::process_stop_token(),
                                           .progress = progress_lines(show_progress)});
  result["certificates"] = found;
  if (!result.contains("robust")) return;
  const auto bounds = robust_bounds(result["robust"]["correct"], result["n"],
                                    found["certified"].get<std::int64_t>(), evaluate.confidence);
  result["headline"]["lower"] = *bounds.lower;
}

json EvaluateCommand::masking_result() const {
  MaskingCommand checks;
  checks.inputs = {.model = inputs.model, .surrogate = inputs.surrogate, .outputs = inputs.outputs};
  checks.imported = imported;
  checks.data = data;
  checks.attack = attack;
  checks.masking = masking;
  checks.work.seed = evaluate.seed;
  checks.show_progress = show_progress;
  checks.trust = trust;
  const auto* surrogate = attacks_.surrogate ? &*attacks_.surrogate : nullptr;
  return checks.report({.model = classifier_, .dataset = test_, .surrogate = surrogate});
}

std::string EvaluateCommand::summary(const json& result, const run::RunFolder& folder) const {
  return evaluation_summary(result, folder);
}

int EvaluateCommand::exit_status(const json& result) const {
  for (const auto& attacked : result["attacks"])
    if (attacked.contains("error")) return static_cast<int>(ExitCode::numeric);
  const auto decision = result.find("decision");
  if (decision != result.end() && decision->contains("claim") && (*decision)["answer"] != "yes")
    return static_cast<int>(ExitCode::not_met);
  return 0;
}

void add_evaluate(CLI::App& app) {
  add_run_command<EvaluateCommand>(app, "attack a model and measure its accuracy", "model");
}

}  // namespace namid::app
