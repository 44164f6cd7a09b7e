// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/evaluation.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/log.h"
#include "namid/eval/gallery.h"
#include "namid/eval/guard_rails.h"
#include "namid/eval/identity.h"
#include "namid/eval/memory.h"
#include "namid/eval/runner.h"
#include "namid/eval/self_test.h"
#include "namid/eval/shard.h"
#include "namid/eval/summary.h"

namespace namid::eval {
namespace {

using Ids = std::unordered_set<std::uint64_t>;

/// What is known of an attack so far.
struct Standing {
  std::set<std::pair<std::int64_t, std::uint64_t>> held;  ///< (round, sample) in the ledger
  Ids tried;                                              ///< samples with any row
  Ids broken;
  std::string error;
};

class Evaluator {
 public:
  Evaluator(const Evaluation& job, const Suite& suite, const Bench& bench, Ledger& ledger)
      : job_(job), suite_(suite), bench_(bench), ledger_(ledger), standings_(suite.attacks.size()) {
    for (const auto& sample : ledger_.samples()) correct_[sample.sample] = sample.correct;
    for (std::size_t i = 0; i < standings_.size(); ++i)
      for (const auto& attempt : ledger_.attempts(suite_.attacks[i].name))
        note(standings_[i], attempt);
  }

  /// Natural predictions and every stage on these rows.
  void evaluate(Rows rows) {
    predict_natural(rows);
    for (std::size_t i = 0; i < suite_.attacks.size(); ++i) run_attack(i, rows);
  }

  bool natural(std::int64_t row) const { return correct_.at(id(row)); }
  bool robust(std::int64_t row) const { return natural(row) && !broken(id(row)); }
  std::vector<std::string> errors() const {
    std::vector<std::string> all;
    for (const auto& standing : standings_) all.push_back(standing.error);
    return all;
  }

 private:
  std::uint64_t id(std::int64_t row) const {
    return job_.dataset.ids[static_cast<std::size_t>(row)];
  }

  bool broken(std::uint64_t sample) const {
    return std::any_of(standings_.begin(), standings_.end(), [&](const auto& standing) {
      return standing.error.empty() && standing.broken.contains(sample);
    });
  }

  static void note(Standing& standing, const AttemptRow& attempt) {
    standing.held.emplace(attempt.round, attempt.sample);
    standing.tried.insert(attempt.sample);
    if (attempt.success) standing.broken.insert(attempt.sample);
  }

  /// Runs `compute` on the rows of `wanted` that are not `held`, a compute batch at a time.
  template <class Held, class Compute>
  void for_each_batch(const std::string& stage, const std::vector<std::int64_t>& wanted,
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

  void predict_natural(Rows rows) {
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
  /// always those that this attack did not break.
  std::vector<std::int64_t> survivors(std::size_t i, Rows rows) const {
    std::vector<std::int64_t> left;
    const bool worst = suite_.combine == Combine::worst_case;
    for (const auto row : rows)
      if (natural(row) && !standings_[i].broken.contains(id(row)) && !(worst && broken(id(row))))
        left.push_back(row);
    return left;
  }

  /// NumericError is the attack's own failure: it becomes its row of the result.
  void run_attack(std::size_t i, Rows rows) {
    if (!standings_[i].error.empty()) return;
    try {
      const auto& attack = suite_.attacks[i];
      if (attack.sequential) {
        run_stage(i, rows, {}, attack.name);
        return;
      }
      const int rounds = attack.rounds(job_.model.info().num_classes);
      for (int round = 0; round < rounds; ++round)
        run_stage(i, rows, round,
                  rounds == 1 ? attack.name : str(attack.name, " ", round + 1, "/", rounds));
    } catch (const NumericError& error) {
      standings_[i].error = error.what();
    }
  }

  void run_stage(std::size_t i, Rows rows, std::optional<int> round, const std::string& name) {
    auto& standing = standings_[i];
    const auto size = suite_.attacks[i].sequential ? job_.options.batch_size : bench_.compute_batch;
    for_each_batch(
        name, survivors(i, rows), size,
        [&](std::int64_t row) {
          return round ? standing.held.contains({*round, id(row)})
                       : standing.tried.contains(id(row));
        },
        [&](Rows piece) {
          auto bench = bench_;
          bench.padded = bench.padded && !suite_.attacks[i].sequential;
          const auto attacked = attack_rows(bench, suite_.attacks[i], piece, round);
          store(suite_.attacks[i].name, attacked);
          for (const auto& attempt : attacked.attempts) note(standing, attempt);
        });
  }

  void store(const std::string& attack, const Attacked& attacked) {
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

  const Evaluation& job_;
  const Suite& suite_;
  const Bench& bench_;
  Ledger& ledger_;
  std::unordered_map<std::uint64_t, bool> correct_;
  std::vector<Standing> standings_;
};

/// The rows to be evaluated in the order in which they are; an order that depends on ids alone
/// where it is random.
std::vector<std::int64_t> rows_in_order(const Evaluation& job, bool may_stop) {
  const auto& ids = job.dataset.ids;
  std::vector<std::int64_t> rows(static_cast<std::size_t>(job.dataset.size()));
  std::iota(rows.begin(), rows.end(), 0);
  const auto order = job.options.order.value_or(may_stop ? Order::random : Order::file);
  if (order == Order::random) {
    std::sort(rows.begin(), rows.end(), [&](auto a, auto b) {
      return ids[static_cast<std::size_t>(a)] < ids[static_cast<std::size_t>(b)];
    });
    const auto places =
        Random(job.options.seed, "evaluate/order").permutation(job.dataset.size(), 0);
    auto shuffled = rows;
    for (std::size_t i = 0; i < rows.size(); ++i)
      shuffled[i] = rows[static_cast<std::size_t>(places[i])];
    rows = shuffled;
  }
  return rows;
}

void check_options(const EvaluateOptions& options, const StoppingRule& rule) {
  validate(options, "evaluate");
  if (options.confidence <= 0 || options.confidence >= 1)
    throw OptionError(
        str("[evaluate] confidence: expected a number between 0 and 1, got ", options.confidence));
  if (rule.active() && options.order.value_or(Order::random) == Order::file)
    throw OptionError("[evaluate] order: a stopping rule needs random order, got file");
  if (rule.active() && !options.shard.empty())
    throw OptionError("[evaluate] shard: a stopping rule needs the whole data set");
}

/// What --max-memory allows was measured once: a resumed run has the batch of its ledger.
int compute_batch_of(const Evaluation& job, const std::filesystem::path& ledger) {
  const auto& options = job.options;
  if (job.resume && !options.max_memory.empty() && std::filesystem::exists(ledger))
    if (const auto held = padded_size(Ledger::open(ledger).identity())) return *held;
  return fitting_compute_batch(job.model, job.dataset, options.compute_batch, options.max_memory);
}

/// Intervals that hold although the run stopped by what it saw: those of the confidence sequence in
/// place of Clopper-Pearson's, and none where there is no sequence.
void keep_valid_intervals(nlohmann::json& result, const nlohmann::json& decision) {
  const auto strip = [](nlohmann::json& accuracy) {
    accuracy.erase("lower");
    accuracy.erase("upper");
    accuracy.erase("confidence");
  };
  for (const auto* list : {"attacks", "per_class"})
    for (auto& row : result[list])
      for (const auto* name : {"natural", "robust"})
        if (row.contains(name)) strip(row[name]);
  for (const auto* name : {"natural", "robust"}) {
    if (!result.contains(name)) continue;
    result[name]["lower"] = decision[name][0];
    result[name]["upper"] = decision[name][1];
    result[name]["confidence"] = 1 - decision["alpha"].get<double>();
    result[name]["interval"] = "confidence sequence";
  }
  if (result.contains("headline")) result["headline"]["upper"] = decision["robust"][1];
}

nlohmann::json tested(const Evaluation& job) {
  if (job.options.verdict_draws > 1) return nullptr;  // a model that draws repeats nothing
  const auto test = self_test(job.model, job.dataset, job.options.compute_batch);
  if (!test.passed() && !job.options.fast)
    log_warning("self-test: on this machine a sample's logits or gradients depend on its place in ",
                "the batch (by up to ", test.largest_difference,
                "); verdicts near the boundary may too");
  return to_json(test);
}

}  // namespace

void check_evaluation(const models::Classifier& model, const data::Dataset& dataset,
                      const Suite& suite, const EvaluateOptions& options) {
  check_fit(model, dataset);
  check_classes(suite, model.info().num_classes);
  check_options(options, StoppingRule(options.stopping, dataset.size()));
  parse_shard(options.shard);
  if (!options.max_memory.empty()) parse_bytes(options.max_memory);
}

nlohmann::json evaluate_with(const Evaluation& asked, const Suite& suite) {
  auto job = asked;
  check_evaluation(job.model, job.dataset, suite, job.options);
  StoppingRule rule(job.options.stopping, job.dataset.size());
  const auto shard = parse_shard(job.options.shard);
  const auto path = job.folder / "ledger.sqlite";
  if (!job.resume && std::filesystem::exists(path))
    throw OptionError(str("[evaluate] ", path.string(),
                          " is there already; resume that run or choose another folder"));
  job.options.compute_batch = compute_batch_of(job, path);
  check_outputs(job.model, job.dataset, job.options.compute_batch, job.options.verdict_draws);
  const auto test = tested(job);

  const Bench bench{.model = job.model,
                    .dataset = job.dataset,
                    .seed = job.options.seed,
                    .compute_batch = job.options.compute_batch,
                    .stop = job.stop,
                    .padded = !job.options.fast,
                    .verdict_draws = job.options.verdict_draws};
  Ledger ledger(path, identity_of(bench, suite, job.options));
  Evaluator evaluator(job, suite, bench, ledger);
  const auto rows = rows_of(shard, job.dataset.ids, rows_in_order(job, rule.active()));
  const auto chunk =
      rule.active() ? job.options.batch_size : std::max<std::int64_t>(1, std::ssize(rows));
  for (const auto together : split_rows(rows, chunk)) {
    evaluator.evaluate(together);
    for (const auto row : together) rule.add(evaluator.natural(row), evaluator.robust(row));
    if (rule.active() && rule.done()) break;
  }
  ledger.finish(job.options.gallery);
  write_gallery(job, suite, ledger);
  auto result = summarise(ledger, job, suite, evaluator.errors());
  result["self_test"] = test;
  if (rule.active()) {
    result["decision"] = rule.to_json();
    keep_valid_intervals(result, result["decision"]);
  }
  return result;
}

}  // namespace namid::eval
