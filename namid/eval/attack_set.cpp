// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/attack_set.h"

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <chrono>

#include "namid/attacks/transfer.h"
#include "namid/attacks/transport.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/eval/accuracy.h"
#include "namid/eval/attack_work.h"
#include "namid/eval/guard_rails.h"
#include "namid/eval/surrogate.h"
#include "namid/models/weights.h"

namespace namid::eval {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

json median(std::vector<double> values) {
  if (values.empty()) return nullptr;
  std::sort(values.begin(), values.end());
  const auto half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

json report(const Work& work) {
  std::int64_t correct = 0, fooled = 0, refuted = 0, eight_bit = 0, forwards = 0, backwards = 0;
  std::int64_t again = 0, rescued = 0;
  std::vector<double> linf, l2, l1, l0;
  for (const auto row : work.rows) {
    const auto& standing = work.standing[static_cast<std::size_t>(row)];
    correct += standing.correct;
    fooled += standing.fooled;
    refuted += standing.refuted;
    eight_bit += standing.eight_bit;
    again += standing.attacked_again;
    rescued += standing.rescued;
    forwards += standing.forwards;
    backwards += standing.backwards;
    if (!standing.correct || !standing.fooled) continue;
    linf.push_back(standing.linf);
    l2.push_back(standing.l2);
    l1.push_back(standing.l1);
    l0.push_back(standing.l0);
  }
  const auto n = static_cast<std::int64_t>(work.rows.size());
  const double confidence = work.job.options.confidence;
  json result{
      {"n", n},
      {"attack", work.attack.info().name},
      {"targeted", work.targeted},
      {"natural", accuracy_json(correct, n, confidence)},
      {"fooled", fooled},
      {"refuted", refuted},
      {"eight_bit", eight_bit},
      {"median_norms",
       {{"linf", median(linf)}, {"l2", median(l2)}, {"l1", median(l1)}, {"l0", median(l0)}}},
      {"passes", {{"forwards", forwards}, {"backwards", backwards}}}};
  if (work.targeted) result["targets"] = to_string(work.job.options.targets);
  if (work.job.surrogate) result["surrogate"] = surrogate_json(*work.job.surrogate);
  if (work.job.bfloat16 && !work.job.surrogate)
    result["rescue"] = {{"near", work.job.near}, {"attacked", again}, {"broken", rescued}};
  if (!work.targeted) result["robust"] = accuracy_json(n - fooled, n, confidence);
  return result;
}

AdversarialSet collect(const Work& work) {
  const auto& dataset = work.job.dataset;
  const auto rows = at::tensor(work.rows, at::kLong);
  AdversarialSet set{.x_adv = work.x_adv.index_select(0, rows),
                     .y = dataset.labels.index_select(0, rows),
                     .norm = work.budget.norm,
                     .epsilon = work.budget.epsilon,
                     .attack = std::string(work.attack.info().name),
                     .options = options_text(work.attack),
                     .model_sha256 = models::weights_sha256(work.job.model.state_dict()),
                     .data_sha256 = dataset.rows(work.rows).sha256()};
  if (work.job.bfloat16) set.options += " precision=bfloat16";
  if (work.job.surrogate) {
    const auto seen = surrogate_json(*work.job.surrogate);
    set.options +=
        str(" surrogate=", seen.value("name", ""), " surrogate_sha256=", seen.value("sha256", ""));
  }
  if (work.plan.defined()) set.plan = work.plan.index_select(0, rows);
  if (work.budget.norm == attacks::Norm::wasserstein && !set.plan.defined())
    set.plan = attacks::plan_of_rest(set.x_adv, 1);  // nothing was attacked
  set.shape = set.x_adv.sizes().vec();
  std::vector<std::int64_t> ids, successes, targets;
  for (const auto row : work.rows) {
    ids.push_back(static_cast<std::int64_t>(dataset.ids[static_cast<std::size_t>(row)]));
    successes.push_back(work.standing[static_cast<std::size_t>(row)].fooled);
    targets.push_back(work.standing[static_cast<std::size_t>(row)].target);
  }
  set.index = at::tensor(ids, at::kLong);
  set.success = at::tensor(successes, at::kLong).to(at::kBool);
  if (work.targeted) set.target = at::tensor(targets, at::kLong);
  return set;
}

OptionSet options_of(attacks::NamedAttack& attack) {
  OptionSet set;
  attack.add_options(set, "");
  return set;
}

/// In float32, the images that bfloat16 left near the boundary.
void attack_again(Work& work, int rounds) {
  mark_near(work);
  work.again = true;
  for (int round = 0; round < rounds; ++round) run_round(work, round, rounds);
  work.again = false;
}

}  // namespace

std::string options_text(attacks::NamedAttack attack) {
  std::string text;
  const auto set = options_of(attack);
  for (const auto& entry : set.entries())
    text += str(text.empty() ? "" : " ", entry.key, "=", entry.text());
  return text;
}

AttackedSet attack_dataset(const AttackJob& job) {
  validate(job.options, "attack");
  if (job.options.confidence <= 0 || job.options.confidence >= 1)
    throw OptionError(str("[attack] confidence: expected a number between 0 and 1, got ",
                          job.options.confidence));
  job.attack.validate();
  check_fit(job.model, job.dataset);
  if (job.surrogate) attacks::check_surrogate(*job.surrogate, job.model, "attack");
  check_outputs(job.model, job.dataset, job.options.compute_batch);
  auto work = plan(job);
  const auto start = Clock::now();
  look_at_natural_images(work);
  const auto classes = job.model.info().num_classes;
  const int rounds = job.attack.rounds(classes);
  const auto turns = job.options.targets == attacks::Targets::all ? classes - 1 : 1;
  for (std::int64_t turn = 1; turn <= turns; ++turn) {
    if (turn > 1) aim_at_next(work);
    for (int round = 0; round < rounds; ++round) run_round(work, round, rounds);
    if (job.bfloat16 && !job.surrogate) attack_again(work, rounds);
  }
  auto result = report(work);
  result["seconds"] = std::chrono::duration<double>(Clock::now() - start).count();
  return {collect(work), std::move(result)};
}

}  // namespace namid::eval
