// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/evaluation.h"

#include <numeric>
#include <unordered_set>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/eval/gallery.h"
#include "namid/eval/guard_rails.h"
#include "namid/eval/identity.h"
#include "namid/eval/summary.h"

namespace namid::eval {
namespace {

using Ids = std::unordered_set<std::uint64_t>;

template <class Row>
Ids ids_of(const std::vector<Row>& rows) {
  Ids ids;
  for (const auto& row : rows) ids.insert(row.sample);
  return ids;
}

/// Runs `compute` on the rows of `wanted` that are not `held`, a compute batch at a time.
template <class Compute>
void for_each_batch(const Evaluation& job, const std::string& stage,
                    const std::vector<std::int64_t>& wanted, const Ids& held,
                    const Compute& compute) {
  std::vector<std::int64_t> rows;
  for (const auto row : wanted)
    if (!held.contains(job.dataset.ids[static_cast<std::size_t>(row)])) rows.push_back(row);
  const auto total = static_cast<std::int64_t>(wanted.size());
  auto done = total - static_cast<std::int64_t>(rows.size());
  const auto report = [&] {
    if (job.progress) job.progress(stage, done, total);
  };
  report();
  for (const auto piece : split_rows(rows, job.options.compute_batch)) {
    if (job.stop) job.stop->check();
    compute(piece);
    done += static_cast<std::int64_t>(piece.size());
    report();
  }
}

void run_natural(const Evaluation& job, const Bench& bench, Ledger& ledger) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(job.dataset.size()));
  std::iota(all.begin(), all.end(), 0);
  for_each_batch(job, "natural", all, ids_of(ledger.samples()), [&](Rows rows) {
    const auto samples = predict(bench, rows);
    auto batch = ledger.begin();
    for (const auto& sample : samples) ledger.add(sample);
    batch.commit();
  });
}

std::vector<std::int64_t> correct_rows(const data::Dataset& dataset, const Ledger& ledger) {
  Ids correct;
  for (const auto& sample : ledger.samples())
    if (sample.correct) correct.insert(sample.sample);
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < dataset.size(); ++row)
    if (correct.contains(dataset.ids[static_cast<std::size_t>(row)])) rows.push_back(row);
  return rows;
}

void store(Ledger& ledger, const std::string& attack, const Attacked& attacked,
           GalleryQuota& quota) {
  auto batch = ledger.begin();
  const auto count = attacked.attempts.size();
  const auto width = static_cast<std::size_t>(attacked.x_adv.numel()) / count;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& attempt = attacked.attempts[i];
    ledger.add(attack, attempt);
    if (quota.take(attempt.success))
      ledger.add_image(attack, attempt.sample,
                       {attacked.x_adv.data_ptr<float>() + i * width, width});
  }
  batch.commit();
}

void run_attack(const Evaluation& job, const Bench& bench, const AttackEntry& attack,
                Ledger& ledger) {
  const auto held = ledger.attempts(attack.name);
  GalleryQuota quota(job.options.gallery);
  for (const auto& attempt : held) quota.take(attempt.success);
  for_each_batch(job, attack.name, correct_rows(job.dataset, ledger), ids_of(held), [&](Rows rows) {
    store(ledger, attack.name, attack_rows(bench, attack, rows), quota);
  });
}

/// NumericError is the attack's own failure: it becomes its row of the result.
std::string run_guarded(const Evaluation& job, const Bench& bench, const AttackEntry& attack,
                        Ledger& ledger) {
  try {
    run_attack(job, bench, attack, ledger);
    return "";
  } catch (const NumericError& error) {
    return error.what();
  }
}

}  // namespace

nlohmann::json evaluate_with(const Evaluation& job, std::span<const AttackEntry> attacks) {
  validate(job.options, "evaluate");
  if (job.options.confidence <= 0 || job.options.confidence >= 1)
    throw OptionError(str("[evaluate] confidence: expected a number between 0 and 1, got ",
                          job.options.confidence));
  check_fit(job.model, job.dataset);
  check_outputs(job.model, job.dataset, job.options.compute_batch);
  const auto path = job.folder / "ledger.sqlite";
  if (!job.resume && std::filesystem::exists(path))
    throw OptionError(str("[evaluate] ", path.string(),
                          " is there already; resume that run or choose another folder"));

  const Bench bench{job.model, job.dataset, job.options.seed, job.options.compute_batch, job.stop};
  Ledger ledger(path, identity_of(bench, attacks, job.options.gallery));
  run_natural(job, bench, ledger);
  std::vector<std::string> errors;
  for (const auto& attack : attacks) errors.push_back(run_guarded(job, bench, attack, ledger));
  if (!attacks.empty()) write_gallery(job, attacks.front(), ledger);
  return summarise(ledger, job, attacks, errors);
}

}  // namespace namid::eval
