// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/evaluation.h"

#include <algorithm>
#include <numeric>

#include "namid/attacks/transfer.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/log.h"
#include "namid/eval/evaluator.h"
#include "namid/eval/gallery.h"
#include "namid/eval/guard_rails.h"
#include "namid/eval/identity.h"
#include "namid/eval/memory.h"
#include "namid/eval/sampled.h"
#include "namid/eval/self_test.h"
#include "namid/eval/shard.h"
#include "namid/eval/summary.h"

namespace namid::eval {
namespace {

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

/// What a round attacks, or learns, depends on every image: the data set must be there as a whole.
void check_discarding(const Suite& suite, const EvaluateOptions& options, bool may_stop) {
  for (const auto& attack : suite.attacks)
    if ((attack.share || attack.learn) && (may_stop || !options.shard.empty()))
      throw OptionError(str("[evaluate] ", attack.name,
                            ": its protocol ranks the images among all; expected the whole data "
                            "set, without a stopping rule or shards (the attack alone, --suite "
                            "'a3(restarts=20)', does without)"));
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
  if (!options.sample_stage.empty() && (rule.active() || !options.shard.empty()))
    throw OptionError(
        "[evaluate] sample_stage: expected the whole data set, without a stopping rule or shards");
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

/// Of the model, and of what the attacks see of it where that is compiled or in bfloat16.
nlohmann::json tested(const Evaluation& job, const Suite& suite) {
  if (job.options.verdict_draws > 1) return nullptr;  // a model that draws repeats nothing
  auto test = self_test(job.model, job.dataset, job.options.compute_batch);
  for (const auto* seen : {&suite.compiled, &suite.bfloat16})
    if (*seen) test = both(test, self_test(**seen, job.dataset, job.options.compute_batch));
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
  if (suite.surrogate) attacks::check_surrogate(*suite.surrogate, model, "evaluate");
  const StoppingRule rule(options.stopping, dataset.size());
  check_options(options, rule);
  check_discarding(suite, options, rule.active());
  SampledStages(options.sample_stage, suite);
  parse_shard(options.shard);
  if (!options.max_memory.empty()) parse_bytes(options.max_memory);
}

nlohmann::json evaluate_with(const Evaluation& asked, const Suite& wanted) {
  auto job = asked;
  auto suite = wanted;
  check_evaluation(job.model, job.dataset, suite, job.options);
  StoppingRule rule(job.options.stopping, job.dataset.size());
  const auto shard = parse_shard(job.options.shard);
  const auto path = job.folder / "ledger.sqlite";
  if (!job.resume && std::filesystem::exists(path))
    throw OptionError(str("[evaluate] ", path.string(),
                          " is there already; resume that run or choose another folder"));
  job.options.compute_batch = compute_batch_of(job, path);
  check_outputs(job.model, job.dataset, job.options.compute_batch, job.options.verdict_draws);
  const auto test = tested(job, suite);

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
  if (suite.afterwards) {
    const auto first = suite.attacks.size();
    for (auto& attack : suite.afterwards(ledger)) suite.attacks.push_back(std::move(attack));
    evaluator.evaluate(rows, first);
  }
  ledger.finish(job.options.gallery);
  write_gallery(job, suite, ledger);
  auto result = summarise(ledger, job, suite, evaluator.errors());
  result["self_test"] = test;
  if (auto sampled = evaluator.sampled(rows); !sampled.is_null()) result["sampled"] = sampled;
  if (rule.active()) {
    result["decision"] = rule.to_json();
    keep_valid_intervals(result, result["decision"]);
  }
  return result;
}

}  // namespace namid::eval
