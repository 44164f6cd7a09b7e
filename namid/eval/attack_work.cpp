// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/attack_work.h"

#include <ATen/ops/tensor.h>

#include <utility>

#include "namid/attacks/transfer.h"
#include "namid/attacks/transport.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/eval/claims.h"
#include "namid/eval/compute_batch.h"
#include "namid/eval/eight_bit.h"

namespace namid::eval {
namespace {

using attacks::Targets;

[[noreturn]] void fail_not_finite(const Work& work, std::int64_t row, std::string_view what) {
  throw NumericError(str("[attack] sample ", work.job.dataset.ids[static_cast<std::size_t>(row)],
                         ": ", what, " not finite"));
}

/// Calls `compute(rows, batch)` for pieces of `rows`, padded to the compute batch.
template <class Compute>
void for_each_batch(const Work& work, const std::string& stage,
                    const std::vector<std::int64_t>& rows, const Compute& compute) {
  const auto& job = work.job;
  const auto total = static_cast<std::int64_t>(rows.size());
  std::int64_t done = 0;
  if (job.progress) job.progress(stage, done, total);
  for (const auto piece : split_rows(rows, job.options.compute_batch)) {
    if (job.stop) job.stop->check();
    compute(piece, padded_batch(job.dataset, piece, job.options.compute_batch, job.model.device()));
    done += static_cast<std::int64_t>(piece.size());
    if (job.progress) job.progress(stage, done, total);
  }
}

at::Tensor labels_for(const Work& work, Rows rows, const data::Batch& batch) {
  if (!work.targeted) return batch.y.clone();
  std::vector<std::int64_t> targets(static_cast<std::size_t>(batch.size()),
                                    work.targets[static_cast<std::size_t>(rows.front())]);
  for (std::size_t i = 0; i < rows.size(); ++i)
    targets[i] = work.targets[static_cast<std::size_t>(rows[i])];
  return at::tensor(targets, at::kLong).to(batch.y.device());
}

/// Enters what a round made of one row; the better point stays.
void enter(Work& work, std::int64_t row, const Verdict& verdict, const Claims& claims,
           std::int64_t i) {
  if (!verdict.finite) fail_not_finite(work, row, "its adversarial image or the logits there are");
  auto& standing = work.standing[static_cast<std::size_t>(row)];
  const auto met = [&](std::int64_t prediction) {
    return !work.targeted || prediction == work.targets[static_cast<std::size_t>(row)];
  };
  standing.fooled = verdict.broken() && met(verdict.reading.prediction);
  standing.attacked_again = standing.attacked_again || work.again;
  standing.rescued = work.again && standing.fooled;
  standing.refuted = standing.refuted || (claims.success(i) && !standing.fooled);
  standing.forwards += claims.forwards(i);
  standing.backwards += claims.backwards(i);
  const bool first = !std::exchange(standing.attacked, true);
  if (!first && !standing.fooled && !(claims.loss(i) > standing.loss)) return;
  standing.loss = claims.loss(i);
  if (work.targeted) standing.target = work.targets[static_cast<std::size_t>(row)];
  standing.eight_bit =
      standing.fooled && verdict.eight_bit->broken() && met(verdict.eight_bit->prediction);
  standing.linf = verdict.linf;
  standing.l2 = verdict.l2;
  standing.l1 = verdict.l1;
  standing.l0 = verdict.l0;
  work.x_adv[row].copy_(claims.x_adv()[i]);
  if (work.plan.defined()) work.plan[row].copy_(claims.plan()[i]);
}

std::int64_t label_of(const Work& work, std::int64_t row) {
  return work.job.dataset.labels.const_data_ptr<std::int64_t>()[row];
}

std::vector<std::int64_t> to_vector(const at::Tensor& numbers) {
  const auto values = numbers.to(at::kCPU).contiguous();
  const auto* first = values.const_data_ptr<std::int64_t>();
  return {first, first + values.numel()};
}

/// Targets of all rows, those of `least_likely` not known yet.
std::vector<std::int64_t> first_targets(const AttackJob& job) {
  const auto& labels = job.dataset.labels;
  const auto classes = job.model.info().num_classes;
  if (job.options.targets == Targets::random)
    return to_vector(attacks::random_class(
        labels, classes, Random(job.options.seed, "test/targets"), job.dataset.ids));
  const auto& wanted = job.options.target_class;
  return to_vector(wanted.is_auto() ? attacks::class_after(labels, 1, classes)
                                    : at::full_like(labels, wanted.value_or(0)));
}

void aim_at_least_likely(Work& work, Rows rows, const data::Batch& batch) {
  const at::NoGradGuard no_grad;
  const auto eval_mode = work.job.model.frozen_eval();
  const auto targets = to_vector(attacks::least_likely_class(work.job.model(batch.x), batch.y));
  for (std::size_t i = 0; i < rows.size(); ++i)
    work.targets[static_cast<std::size_t>(rows[i])] = targets[i];
}

const models::Classifier& seen_by_attack(const Work& work) {
  const auto& job = work.job;
  if (job.bfloat16 && !work.again) return *job.bfloat16;
  if (job.surrogate) return *job.surrogate;
  return job.compiled ? *job.compiled : job.model;
}

/// How far in float32 the rows' images are from what they were to be.
void note_margins(Work& work, Rows rows, const std::vector<Verdict>& verdicts,
                  const at::Tensor& x_adv, const at::Tensor& targets) {
  std::vector<Reading> at_target;
  if (work.targeted) at_target = read_model(work.job.model, x_adv.to(targets.device()), targets);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto& margin = work.standing[static_cast<std::size_t>(rows[i])].margin;
    margin = std::min(margin, work.targeted ? -at_target[i].margin : verdicts[i].reading.margin);
  }
}

}  // namespace

Work plan(const AttackJob& job) {
  const bool given = job.options.targets == Targets::given;
  auto attack = given ? job.attack : attacks::towards_targets(job.attack);
  Work work{.job = job,
            .attack = attack,
            .budget = attack.budget(),
            .targeted = is_targeted(attack),
            .rows = {},
            .targets = {}};
  const auto& wanted = job.options.target_class;
  const auto classes = job.model.info().num_classes;
  if (!wanted.is_auto() && !given)
    throw OptionError("[attack] target_class: goes with --targets given alone");
  if (!wanted.is_auto() && !work.targeted)
    throw OptionError("[attack] target_class: the attack is not targeted (see --attack-targeted)");
  if (wanted.value_or(0) >= classes)
    throw OptionError(
        str("[attack] target_class: expected 0 to ", classes - 1, ", got ", wanted.value_or(0)));
  if (work.targeted) work.targets = first_targets(job);
  for (std::int64_t row = 0; row < job.dataset.size(); ++row)
    if (!work.targeted || work.targets[static_cast<std::size_t>(row)] != label_of(work, row))
      work.rows.push_back(row);
  if (work.rows.empty())
    throw OptionError("[attack] target_class: every image is of that class; nothing to attack");
  work.standing.resize(static_cast<std::size_t>(job.dataset.size()));
  return work;
}

void look_at_natural_images(Work& work) {
  const auto& dataset = work.job.dataset;
  std::vector<std::int64_t> all(static_cast<std::size_t>(dataset.size()));
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  work.x_adv = data::make_batch(dataset, all).x;
  for_each_batch(work, "natural", work.rows, [&](Rows rows, const data::Batch& batch) {
    const auto readings = read_model(work.job.model, batch.x, batch.y);
    if (work.job.options.targets == Targets::least_likely) aim_at_least_likely(work, rows, batch);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!readings[i].finite)
        fail_not_finite(work, rows[i], "the logits of the natural image are");
      auto& standing = work.standing[static_cast<std::size_t>(rows[i])];
      standing.correct = readings[i].prediction == label_of(work, rows[i]);
      if (!work.targeted) standing.margin = readings[i].margin;
      standing.fooled = standing.eight_bit = !work.targeted && !standing.correct;
    }
  });
}

void aim_at_next(Work& work) {
  const auto classes = work.job.model.info().num_classes;
  for (std::size_t row = 0; row < work.targets.size(); ++row) {
    auto& target = work.targets[row];
    target = (target + 1) % classes;
    if (target == label_of(work, static_cast<std::int64_t>(row))) target = (target + 1) % classes;
    work.standing[row].margin = std::numeric_limits<double>::infinity();
  }
}

void mark_near(Work& work) {
  for (auto& standing : work.standing)
    standing.near = !standing.fooled && (standing.margin < work.job.near || standing.refuted);
}

void run_round(Work& work, int round, int rounds) {
  const auto& job = work.job;
  const std::string name(work.attack.info().name);
  std::vector<std::int64_t> pending;
  for (const auto row : work.rows)
    if (const auto& standing = work.standing[static_cast<std::size_t>(row)];
        !standing.fooled && (standing.near || !work.again))
      pending.push_back(row);
  if (work.again && pending.empty()) return;
  const auto stage =
      str(name, work.again ? " again" : "", round == 0 ? "" : str(", round ", round + 1));
  for_each_batch(work, stage, pending, [&](Rows rows, const data::Batch& batch) {
    attacks::Context context{.random = Random(job.options.seed, "test/" + name),
                             .ids = batch.ids,
                             .stop = job.stop,
                             .compact = false};
    if (rounds > 1) context.round = round;
    const auto labels = labels_for(work, rows, batch);
    const auto& seen = seen_by_attack(work);
    const auto result = job.surrogate ? attacks::transfer(work.attack, seen, job.model,
                                                          batch.x.clone(), labels, context)
                                      : work.attack(seen, batch.x.clone(), labels, context);
    const auto verdicts = verify_with_eight_bit(job.model, batch.x, {result.x_adv, result.plan},
                                                batch.y, work.budget);
    const Claims claims(result);
    if (claims.plan().defined() && !work.plan.defined())
      work.plan = attacks::plan_of_rest(work.x_adv, attacks::kernel_of(claims.plan()));
    for (std::size_t i = 0; i < rows.size(); ++i)
      enter(work, rows[i], verdicts[i], claims, static_cast<std::int64_t>(i));
    if (job.bfloat16) note_margins(work, rows, verdicts, claims.x_adv(), labels);
  });
}

}  // namespace namid::eval
