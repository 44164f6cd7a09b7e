// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/evaluator.h"

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/eval/attempt_norm.h"
#include "namid/eval/discarding.h"

namespace namid::eval {
namespace {

/// "apgd-t 3/9", "apgd-t again 3/9".
std::string stage_name(const AttackEntry& attack, int round, int rounds) {
  const int first = attack.rescue ? attack.rescue->first : rounds;
  const auto name = str(attack.name, round < first ? "" : " again");
  return first == 1 ? name : str(name, " ", round % first + 1, "/", first);
}

}  // namespace

Evaluator::Evaluator(const Evaluation& job, const Suite& suite, const Bench& bench, Ledger& ledger)
    : job_(job),
      suite_(suite),
      bench_(bench),
      ledger_(ledger),
      sampled_(job.options.sample_stage, suite) {
  for (const auto& sample : ledger_.samples()) correct_[sample.sample] = sample.correct;
  for (std::size_t i = 0; i < suite_.attacks.size(); ++i) take_up(i);
}

void Evaluator::evaluate(Rows rows, std::size_t first) {
  if (first == 0) predict_natural(rows);
  for (auto i = first; i < suite_.attacks.size(); ++i) {
    if (i == standings_.size()) take_up(i);
    run_attack(i, rows);
  }
}

/// What the ledger has of attack `i`.
void Evaluator::take_up(std::size_t i) {
  standings_.emplace_back();
  for (const auto& attempt : ledger_.attempts(suite_.attacks[i].name)) note(i, attempt);
}

nlohmann::json Evaluator::sampled(Rows rows) const {
  if (sampled_.none()) return nullptr;
  const auto left = left_to_sampled(rows);
  const auto drawn = drawn_ids(left, sampled_.common(), bench_.seed);
  const auto lost = std::count_if(drawn.begin(), drawn.end(), [&](auto id) { return broken(id); });
  return sampled_json(std::ssize(rows), std::ssize(left), std::ssize(drawn), lost,
                      job_.options.confidence);
}

std::vector<std::string> Evaluator::errors() const {
  std::vector<std::string> all;
  for (const auto& standing : standings_) all.push_back(standing.error);
  return all;
}

std::uint64_t Evaluator::id(std::int64_t row) const {
  return job_.dataset.ids[static_cast<std::size_t>(row)];
}

bool Evaluator::broken_before(std::size_t attack, std::uint64_t sample) const {
  const auto end = standings_.begin() + static_cast<std::ptrdiff_t>(attack);
  return std::any_of(standings_.begin(), end, [&](const auto& standing) {
    return standing.error.empty() && standing.broken.contains(sample);
  });
}

/// Samples that the attacks before the sampled ones did not break.
std::vector<std::uint64_t> Evaluator::left_to_sampled(Rows rows) const {
  std::vector<std::uint64_t> left;
  for (const auto row : rows)
    if (natural(row) && !broken_before(sampled_.first(), id(row))) left.push_back(id(row));
  return left;
}

void Evaluator::note(std::size_t i, const AttemptRow& attempt) {
  auto& standing = standings_[i];
  standing.held.emplace(attempt.round, attempt.sample);
  standing.tried.insert(attempt.sample);
  if (!attempt.success) return;
  standing.broken.insert(attempt.sample);
  const auto& budget = suite_.attacks[i].budget;
  const double norm = std::min(norm_of(attempt, budget.norm), budget.epsilon);
  const auto held = standing.nearest.try_emplace(attempt.sample, norm).first;
  held->second = std::min(held->second, norm);
}

/// The smallest norm at which an attack before this one broke the sample; infinity for none.
double Evaluator::nearest_before(std::size_t attack, std::uint64_t sample) const {
  double smallest = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < attack; ++i)
    if (const auto found = standings_[i].nearest.find(sample); found != standings_[i].nearest.end())
      smallest = std::min(smallest, found->second);
  return smallest;
}

/// Runs `compute` on the rows of `wanted` that are not `held`, a compute batch at a time.
template <class Held, class Compute>
void Evaluator::for_each_batch(const std::string& stage, const std::vector<std::int64_t>& wanted,
                               std::int64_t size, const Held& held, const Compute& compute) {
  std::vector<std::int64_t> rows;
  for (const auto row : wanted)
    if (!held(row)) rows.push_back(row);
  const auto total = static_cast<std::int64_t>(wanted.size());
  auto done = total - static_cast<std::int64_t>(rows.size());
  const auto report = [&] {
    if (job_.progress) job_.progress(stage, done, total);
  };
  report();
  for (const auto together : split_rows(rows, job_.options.batch_size)) {
    for (const auto piece : split_rows(together, size)) {
      if (job_.stop) job_.stop->check();
      compute(piece);
      done += static_cast<std::int64_t>(piece.size());
      report();
    }
  }
}

void Evaluator::predict_natural(Rows rows) {
  for_each_batch(
      "natural", {rows.begin(), rows.end()}, bench_.compute_batch,
      [&](std::int64_t row) { return correct_.contains(id(row)); },
      [&](Rows piece) {
        const auto samples = predict(bench_, piece);
        auto batch = ledger_.begin();
        for (const auto& sample : samples) ledger_.add(sample);
        batch.commit();
        for (const auto& sample : samples) correct_[sample.sample] = sample.correct;
      });
}

/// Rows that a stage of attack `i` must attack: in worst_case those that nothing broke, and
/// always those that this attack did not break, unless it searches for the smallest norm.
std::vector<std::int64_t> Evaluator::survivors(std::size_t i, Rows rows) const {
  std::vector<std::int64_t> left;
  const bool worst = suite_.combine == Combine::worst_case;
  const auto& attack = suite_.attacks[i];
  const auto count = sampled_.count(i);
  Ids drawn;
  if (count)
    for (const auto id : drawn_ids(left_to_sampled(rows), *count, bench_.seed)) drawn.insert(id);
  for (const auto row : rows) {
    if (count && !drawn.contains(id(row))) continue;
    if (!natural(row) || (worst && broken(id(row)))) continue;
    if (!attack.nearest && standings_[i].broken.contains(id(row))) continue;
    if (attack.beyond && nearest_before(i, id(row)) <= attack.budget.epsilon) continue;
    left.push_back(row);
  }
  return left;
}

/// Before `round` of attack `i`; what the ledger has of the round itself changes nothing.
Evaluator::Seen Evaluator::seen_before(std::size_t i, int round) const {
  Seen seen;
  for (const auto& sample : ledger_.samples()) seen.margins.add(sample.sample, sample.margin);
  const std::size_t first = suite_.combine == Combine::worst_case ? 0 : i;
  for (std::size_t attack = first; attack <= i; ++attack) {
    if (!standings_[attack].error.empty()) continue;
    for (const auto& attempt : ledger_.attempts(suite_.attacks[attack].name)) {
      if (attack == i && attempt.round >= round) continue;
      seen.margins.add(attempt.sample, attempt.margin);
      if (attempt.success) seen.broken.insert(attempt.sample);
      if (attempt.refuted) seen.refuted.insert(attempt.sample);
    }
  }
  return seen;
}

/// Those of `rows` that a round of attack `i` attacks of what the rounds before it left, by the
/// margins of everything before it.
std::vector<std::int64_t> Evaluator::not_discarded(std::size_t i, int round, Rows rows) const {
  const auto [margins, broken, refuted] = seen_before(i, round);
  std::vector<std::uint64_t> left;
  for (const auto row : rows)
    if (natural(row) && !broken.contains(id(row))) left.push_back(id(row));
  const auto count = kept_of(suite_.attacks[i].share(round), std::ssize(left), std::ssize(rows));
  const auto nearest = margins.nearest(std::move(left), count);
  const Ids kept(nearest.begin(), nearest.end());
  std::vector<std::int64_t> still;
  for (const auto row : rows)
    if (kept.contains(id(row))) still.push_back(row);
  return still;
}

/// Those of `rows` that attack `i`, done in bfloat16, takes again in float32.
std::vector<std::int64_t> Evaluator::near_boundary(std::size_t i, Rows rows) const {
  const auto [first, near] = *suite_.attacks[i].rescue;
  const auto seen = seen_before(i, first);
  std::vector<std::int64_t> again;
  for (const auto row : survivors(i, rows)) {
    const auto sample = id(row);
    const bool is_near = seen.margins.of(sample) < near || seen.refuted.contains(sample);
    if (is_near && !standings_[i].broken.contains(sample)) again.push_back(row);
  }
  return again;
}

std::vector<std::int64_t> Evaluator::wanted(std::size_t i, std::optional<int> round,
                                            Rows rows) const {
  const auto& attack = suite_.attacks[i];
  if (attack.rescue && round && *round >= attack.rescue->first) return near_boundary(i, rows);
  return attack.share && round ? not_discarded(i, *round, rows) : survivors(i, rows);
}

/// Attack `i` as its second round has it go on.
AttackEntry Evaluator::taught(std::size_t i) const {
  auto attack = suite_.attacks[i];
  std::map<std::uint64_t, std::int64_t> reached, labels;
  for (const auto& attempt : ledger_.attempts(attack.name))
    if (attempt.round == 1 && attempt.success) reached[attempt.sample] = attempt.prediction;
  for (const auto& sample : ledger_.samples())
    if (reached.contains(sample.sample)) labels[sample.sample] = sample.label;
  Lesson lesson{.random = Random(bench_.seed, "test/" + attack.name),
                .classes = job_.model.info().num_classes};
  std::vector<std::int64_t> own, other;
  for (const auto& [sample, label] : labels) {
    lesson.ids.push_back(sample);
    own.push_back(label);
    other.push_back(reached.at(sample));
  }
  lesson.labels = at::tensor(own, at::kLong);
  lesson.reached = at::tensor(other, at::kLong);
  attack.run = attack.learn(lesson);
  return attack;
}

/// NumericError is the attack's own failure: it becomes its row of the result.
void Evaluator::run_attack(std::size_t i, Rows rows) {
  if (!standings_[i].error.empty()) return;
  try {
    auto attack = suite_.attacks[i];
    if (attack.sequential) {
      run_stage(i, attack, rows, {}, attack.name);
      return;
    }
    const int rounds = attack.rounds(job_.model.info().num_classes);
    for (int round = 0; round < rounds; ++round) {
      if (round == 2 && attack.learn) attack = taught(i);
      run_stage(i, attack, rows, round, stage_name(attack, round, rounds));
    }
  } catch (const NumericError& error) {
    standings_[i].error = error.what();
  }
}

void Evaluator::run_stage(std::size_t i, const AttackEntry& attack, Rows rows,
                          std::optional<int> round, const std::string& name) {
  auto& standing = standings_[i];
  const auto size = attack.sequential ? job_.options.batch_size : bench_.compute_batch;
  for_each_batch(
      name, wanted(i, round, rows), size,
      [&](std::int64_t row) {
        return round ? standing.held.contains({*round, id(row)}) : standing.tried.contains(id(row));
      },
      [&](Rows piece) {
        auto bench = bench_;
        bench.padded = bench.padded && !attack.sequential;
        const auto attacked = attack_rows(bench, attack, piece, round);
        store(attack.name, attacked);
        for (const auto& attempt : attacked.attempts) note(i, attempt);
      });
}

void Evaluator::store(const std::string& attack, const Attacked& attacked) {
  auto batch = ledger_.begin();
  const auto count = attacked.attempts.size();
  const auto width = static_cast<std::size_t>(attacked.x_adv.numel()) / count;
  for (std::size_t i = 0; i < count; ++i) {
    ledger_.add(attack, attacked.attempts[i]);
    if (job_.options.gallery > 0)
      ledger_.add_image(attack, attacked.attempts[i],
                        {attacked.x_adv.data_ptr<float>() + i * width, width},
                        job_.options.gallery);
  }
  batch.commit();
}

}  // namespace namid::eval
