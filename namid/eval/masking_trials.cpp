// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/masking_trials.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/option_set.h"
#include "namid/eval/surrogate.h"
#include "namid/models/outputs.h"

namespace namid::eval {
namespace {

using attacks::Norm;

/// A trial, and on what it is run.
struct Planned {
  MaskingTrial trial;
  AttackEntry entry;
  Bench bench;
  const models::Classifier* model = nullptr;  ///< instead of the bench's, where set
};

AttackEntry member(const std::string& word, const attacks::Budget& budget) {
  return make_suite({.suite = word}, {.budget = budget}).attacks.front();
}

std::string suite_flag(const std::string& words) {
  return str("--suite '", words, "'");
}

/// The attack of `word`, shown beside the white-box attack.
Planned beside(const MaskingJob& job, const Bench& bench, const std::string& role,
               const std::string& word) {
  const auto entry = member(word, job.attack.budget);
  return {.trial = {.name = entry.name,
                    .flags = suite_flag(str(suite_word(job.attack), ", ", word)),
                    .role = role},
          .entry = entry,
          .bench = bench};
}

/// PGD with other options than those of the white-box attack.
Planned other_pgd(const Bench& bench, const std::string& role, const attacks::PgdOptions& attack) {
  const auto entry = pgd_entry(attack);
  return {.trial = {.name = entry.name, .flags = suite_flag(suite_word(attack)), .role = role},
          .entry = entry,
          .bench = bench};
}

Planned other_loss(const MaskingJob& job, const Bench& bench) {
  if (job.model.info().num_classes >= 3)
    return beside(job, bench, "other_loss",
                  str("apgd-dlr(steps=", std::max(job.attack.steps, 20), ")"));
  auto attack = job.attack;
  attack.loss = attacks::AttackLoss::margin;
  auto planned = other_pgd(bench, "other_loss", attack);
  planned.trial.name += "-margin";
  planned.entry.name = planned.trial.name;
  return planned;
}

Planned large_epsilon(const MaskingJob& job, const Bench& bench) {
  auto attack = job.attack;
  attack.budget.epsilon = whole_box(attack.budget.norm, job.dataset.images[0].numel());
  attack.step_size = {};
  auto planned = other_pgd(bench, "large_epsilon", attack);
  planned.trial.same_ball = false;
  planned.trial.name += str(" at epsilon ", shortest(attack.budget.epsilon));
  return planned;
}

Planned transfer(const MaskingJob& job, const Bench& bench) {
  auto suite = make_suite({}, job.attack);
  const auto entry = through_surrogate(std::move(suite), *job.surrogate).attacks.front();
  return {.trial = {.name = entry.name,
                    .flags = str("--surrogate ", job.surrogate_path, " ",
                                 suite_flag(suite_word(job.attack))),
                    .role = "transfer"},
          .entry = entry,
          .bench = bench};
}

/// Each image in a batch of its own, where there are no neighbours to mix with.
Planned one_by_one(const MaskingJob& job, const Bench& bench) {
  auto planned = other_pgd(bench, "alone", job.attack);
  planned.trial.name += ", each image alone";
  planned.bench.compute_batch = 1;
  return planned;
}

/// The verdict is that of the probabilities themselves: log keeps their order.
Planned by_logarithm(const MaskingJob& job, const Bench& bench, const models::Classifier& logits) {
  auto planned = other_pgd(bench, "logarithm", job.attack);
  planned.trial.name += " on log p";
  planned.model = &logits;
  return planned;
}

void run(Planned& planned, const MaskingJob& job, Rows rows) {
  auto& trial = planned.trial;
  const auto progress = [&](std::int64_t done, std::int64_t total) {
    if (job.progress) job.progress(trial.name, done, total);
  };
  const auto& given = planned.bench;
  const Bench bench{.model = planned.model ? *planned.model : given.model,
                    .dataset = given.dataset,
                    .seed = given.seed,
                    .compute_batch = given.compute_batch,
                    .stop = given.stop,
                    .verdict_draws = given.verdict_draws};
  try {
    trial.broken = broken_rows(bench, planned.entry, rows, progress);
  } catch (const NumericError& error) {
    trial.error = error.what();
  } catch (const OptionError& error) {  // options were checked: no differentiable path
    trial.error = error.what();
  }
  if (!trial.error.empty()) trial.broken.assign(rows.size(), 0);
}

}  // namespace

std::int64_t MaskingTrial::count() const {
  return std::accumulate(broken.begin(), broken.end(), std::int64_t{0});
}

std::vector<std::uint8_t> broken_rows(
    const Bench& bench, const AttackEntry& attack, Rows rows,
    const std::function<void(std::int64_t done, std::int64_t total)>& progress) {
  std::vector<std::uint8_t> broken(rows.size(), 0);
  const int rounds = attack.rounds(bench.model.info().num_classes);
  const auto total = std::ssize(rows) * rounds;
  std::int64_t done = 0;
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::int64_t> places, left;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (broken[i]) continue;
      places.push_back(static_cast<std::int64_t>(i));
      left.push_back(rows[i]);
    }
    std::size_t next = 0;
    if (progress) progress(done, total);
    for (const auto piece : split_rows(left, bench.compute_batch)) {
      if (bench.stop) bench.stop->check();
      for (const auto& attempt : attack_rows(bench, attack, piece, round).attempts)
        broken[static_cast<std::size_t>(places[next++])] = attempt.success;
      done += std::ssize(piece);
      if (progress) progress(done, total);
    }
    done = std::ssize(rows) * (round + 1);
  }
  if (progress) progress(total, total);
  return broken;
}

double whole_box(Norm norm, std::int64_t entries) {
  const auto d = static_cast<double>(entries);
  return norm == Norm::linf ? 1 : norm == Norm::l2 ? std::sqrt(d) : d;
}

std::string suite_word(const attacks::PgdOptions& attack) {
  auto given = attack;
  attacks::PgdOptions unset;
  OptionSet set, defaults;
  set.add("", given);
  defaults.add("", unset);
  std::string options = str("steps=", attack.steps);
  for (std::size_t i = 0; i < set.entries().size(); ++i) {
    const auto& entry = set.entries()[i];
    if (entry.key == "steps" || entry.key == "norm" || entry.key == "epsilon") continue;
    if (entry.text() != defaults.entries()[i].text())
      options += str(", ", entry.key, "=", entry.text());
  }
  return str("pgd(", options, ")");
}

std::vector<MaskingTrial> run_trials(const MaskingJob& job, const Bench& bench,
                                     const OutputProbe& outputs, Rows rows) {
  const auto logits = models::with_logits(job.model, models::Outputs::probabilities);
  std::vector<Planned> plan{other_pgd(bench, "white_box", job.attack)};
  auto longer = job.attack;
  longer.steps *= job.options.more_steps;
  plan.push_back(beside(job, bench, "black_box", str("square(queries=", job.options.queries, ")")));
  plan.push_back(large_epsilon(job, bench));
  plan.push_back(beside(job, bench, "random", str("noise(draws=", job.options.noise_draws, ")")));
  plan.push_back(other_pgd(bench, "more_steps", longer));
  plan.push_back(other_loss(job, bench));
  if (job.surrogate) plan.push_back(transfer(job, bench));
  if (outputs.random())
    plan.push_back(
        beside(job, bench, "eot", str("apgd-ce(steps=20, eot=", job.options.draws, ")")));
  if (outputs.mixes_the_batch()) plan.push_back(one_by_one(job, bench));
  if (outputs.range.probabilities()) plan.push_back(by_logarithm(job, bench, logits));
  std::vector<MaskingTrial> trials;
  for (auto& planned : plan) {
    run(planned, job, rows);
    trials.push_back(std::move(planned.trial));
  }
  return trials;
}

}  // namespace namid::eval
