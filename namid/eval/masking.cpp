// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/masking.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "namid/attacks/transfer.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/eval/accuracy.h"
#include "namid/eval/guard_rails.h"
#include "namid/eval/masking_trials.h"

namespace namid::eval {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

/// What was measured, and what the checks are made from.
struct MaskingFindings {
  const MaskingJob& job;
  std::int64_t images = 0;
  OutputProbe outputs = {};
  std::int64_t correct = 0, zero_gradients = 0;
  std::vector<MaskingTrial> trials = {};

  const MaskingTrial* find(const std::string& role) const {
    const auto found = std::find_if(trials.begin(), trials.end(),
                                    [&](const auto& trial) { return trial.role == role; });
    return found == trials.end() ? nullptr : &*found;
  }
  const MaskingTrial& white_box() const { return trials.front(); }
  PairedCounts against_white_box(const MaskingTrial& trial) const {
    return paired_counts(trial.broken, white_box().broken);
  }
  /// `namid evaluate` with `flags` and those that let it take this model.
  std::string command(const std::string& flags) const {
    std::string all;
    if (outputs.range.probabilities()) all += "--outputs probabilities ";
    if (outputs.random()) all += str("--verdict-draws ", job.options.draws, " ");
    if (outputs.mixes_the_batch()) all += "--compute-batch 1 ";
    return job.command ? job.command(all + flags) : all + flags;
  }
  std::string command(const MaskingTrial& trial) const { return command(trial.flags); }
};

std::vector<std::int64_t> correct_rows(const Bench& bench) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(bench.dataset.size())), correct;
  std::iota(all.begin(), all.end(), 0);
  for (const auto rows : split_rows(all, bench.compute_batch)) {
    const auto samples = predict(bench, rows);
    for (std::size_t i = 0; i < samples.size(); ++i)
      if (samples[i].correct) correct.push_back(rows[i]);
  }
  if (correct.empty())
    throw OptionError(str("[masking] model '", bench.model.info().name, "' is right on none of ",
                          all.size(),
                          " images: nothing to attack; are these its data, and its classes in "
                          "this order?"));
  return correct;
}

/// Attacks of the same ball that surely break more, the strongest first.
std::vector<const MaskingTrial*> stronger(const MaskingFindings& found) {
  std::vector<const MaskingTrial*> all;
  for (const auto& trial : found.trials)
    if (trial.same_ball && &trial != &found.white_box() &&
        mcnemar(found.against_white_box(trial), kMaskingConfidence).conditional.low > 0)
      all.push_back(&trial);
  std::stable_sort(all.begin(), all.end(),
                   [](const auto* a, const auto* b) { return a->count() > b->count(); });
  return all;
}

/// The command of the trial that answers a finding which no single attack belongs to.
std::string strongest_command(const MaskingFindings& found) {
  const auto all = stronger(found);
  return all.empty() ? found.command("--suite 'square(queries=5000)'")
                     : found.command(*all.front());
}

using Comparison = MaskingCheck (*)(const PairedCounts&, const std::string&);

MaskingCheck comparison(const MaskingFindings& found, const std::string& role,
                        const std::string& name, Comparison check) {
  const auto* trial = found.find(role);
  if (trial == nullptr)
    return skipped_check(name, "no surrogate was given; --surrogate RUN names a model like it");
  if (!trial->error.empty()) return skipped_check(name, "the attack failed: " + trial->error);
  return check(found.against_white_box(*trial), found.command(*trial));
}

MaskingCheck large_ball(const MaskingFindings& found) {
  const auto& trial = *found.find("large_epsilon");
  std::int64_t survivors = 0;
  for (std::size_t i = 0; i < trial.broken.size(); ++i)
    survivors += !trial.broken[i] && !found.white_box().broken[i];
  const auto& budget = found.job.attack.budget;
  return check_large_epsilon(survivors, found.correct,
                             whole_box(budget.norm, found.job.dataset.images[0].numel()),
                             strongest_command(found));
}

/// The command of the attack that was planned for a finding, or of the white-box attack.
std::string command_of_role(const MaskingFindings& found, const std::string& role) {
  const auto* trial = found.find(role);
  return found.command(trial ? *trial : found.white_box());
}

std::vector<MaskingCheck> checks_of(const MaskingFindings& found) {
  const auto& outputs = found.outputs;
  std::vector<MaskingCheck> checks{
      check_outputs_are_logits(outputs.range, command_of_role(found, "logarithm")),
      check_stochastic(outputs.again, command_of_role(found, "eot"))};
  checks.push_back(
      outputs.random()
          ? skipped_check("batch_dependent_output", "the outputs move by chance already")
          : check_batch_dependence(outputs.alone, command_of_role(found, "alone")));
  checks.push_back(
      check_zero_gradient(found.zero_gradients, found.correct, strongest_command(found)));
  checks.push_back(large_ball(found));
  checks.push_back(comparison(found, "black_box", "black_box_beats_white_box", check_black_box));
  checks.push_back(comparison(found, "random", "random_beats_gradient", check_random));
  checks.push_back(comparison(found, "more_steps", "more_steps_still_gain", check_more_steps));
  checks.push_back(comparison(found, "other_loss", "other_loss_beats_white_box", check_other_loss));
  checks.push_back(comparison(found, "transfer", "transfer_beats_white_box", check_transfer));
  return checks;
}

json number_of(double value) {
  if (!std::isfinite(value)) return nullptr;
  if (value == std::floor(value) && std::abs(value) < 1e15) return static_cast<std::int64_t>(value);
  return value;
}

json json_of_check(const MaskingCheck& check) {
  auto measured = json::object();
  for (const auto& [name, value] : check.measured) measured[name] = number_of(value);
  return {{"name", check.name},
          {"status", to_string(check.status)},
          {"measured", measured},
          {"threshold", check.threshold},
          {"meaning", check.meaning},
          {"run_next", check.run_next.empty() ? json(nullptr) : json(check.run_next)}};
}

double accuracy_after(const MaskingFindings& found, const MaskingTrial& trial) {
  return static_cast<double>(found.correct - trial.count()) / static_cast<double>(found.images);
}

json broken_by(const MaskingFindings& found) {
  auto all = json::array();
  for (const auto* trial : stronger(found)) {
    const auto test = mcnemar(found.against_white_box(*trial), kMaskingConfidence);
    all.push_back({{"attack", trial->name},
                   {"broken", trial->count()},
                   {"accuracy_before", accuracy_after(found, found.white_box())},
                   {"accuracy_after", accuracy_after(found, *trial)},
                   {"gain_lower", test.conditional.low},
                   {"command", found.command(*trial)}});
  }
  return all;
}

json json_of_findings(const MaskingFindings& found) {
  const auto checks = checks_of(found);
  auto rows = json::array();
  for (const auto& check : checks) rows.push_back(json_of_check(check));
  const auto& white = found.white_box();
  const auto& budget = found.job.attack.budget;
  json white_box{{"attack", white.name},
                 {"norm", to_string(budget.norm)},
                 {"epsilon", budget.epsilon},
                 {"robust", accuracy_json(found.correct - white.count(), found.images, 0.95)}};
  if (!white.error.empty()) white_box["error"] = white.error;
  return {{"verdict", to_string(masking_verdict(checks))},
          {"images", found.images},
          {"natural", accuracy_json(found.correct, found.images, 0.95)},
          {"white_box", white_box},
          {"checks", rows},
          {"broken_by", broken_by(found)}};
}

}  // namespace

json masking_report(const MaskingJob& job) {
  validate(job.options, "masking");
  attacks::validate_budget(job.attack.budget, "attack");
  pgd_entry(job.attack);  // its options
  check_fit(job.model, job.dataset);
  if (job.surrogate) attacks::check_surrogate(*job.surrogate, job.model, "masking");
  const auto start = Clock::now();
  std::vector<std::int64_t> first(
      static_cast<std::size_t>(std::min(job.options.images, job.dataset.size())));
  std::iota(first.begin(), first.end(), 0);
  const auto dataset = job.dataset.rows(first);
  Bench bench{.model = job.model,
              .dataset = dataset,
              .seed = job.seed,
              .compute_batch = job.compute_batch,
              .stop = job.stop};
  MaskingFindings found{.job = job, .images = dataset.size()};
  found.outputs = probe_outputs(bench, job.options.passes);
  if (found.outputs.random()) bench.verdict_draws = job.options.draws;
  const auto correct = correct_rows(bench);
  found.correct = std::ssize(correct);
  found.zero_gradients = count_zero_gradients(bench, correct, job.attack.budget);
  found.trials = run_trials(job, bench, found.outputs, correct);
  auto report = json_of_findings(found);
  report["seconds"] = std::chrono::duration<double>(Clock::now() - start).count();
  return report;
}

}  // namespace namid::eval
