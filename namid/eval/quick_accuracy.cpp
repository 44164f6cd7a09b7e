// SPDX-License-Identifier: Apache-2.0
#include <numeric>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/eval/evaluate.h"
#include "namid/eval/guard_rails.h"
#include "namid/eval/runner.h"

namespace namid::eval {

QuickAccuracy quick_accuracy(const models::Classifier& model, const data::Dataset& dataset,
                             const attacks::PgdOptions& attack, std::uint64_t seed,
                             int compute_batch, const run::StopToken* stop) {
  if (compute_batch < 1)
    throw OptionError(str("[evaluate] compute_batch: expected ≥ 1, got ", compute_batch));
  const auto entry = pgd_entry(attack);
  check_fit(model, dataset);
  const Bench bench{model, dataset, seed, compute_batch, stop};
  std::vector<std::int64_t> all(static_cast<std::size_t>(dataset.size())), correct;
  std::iota(all.begin(), all.end(), 0);
  std::vector<std::int64_t> predicted(static_cast<std::size_t>(model.info().num_classes));
  for (const auto rows : split_rows(all, compute_batch)) {
    if (stop) stop->check();
    const auto samples = predict(bench, rows);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      ++predicted[static_cast<std::size_t>(samples[i].prediction)];
      if (samples[i].correct) correct.push_back(rows[i]);
    }
  }
  std::int64_t broken = 0;
  for (const auto rows : split_rows(correct, compute_batch)) {
    if (stop) stop->check();
    for (const auto& attempt : attack_rows(bench, entry, rows).attempts) broken += attempt.success;
  }
  const auto n = static_cast<double>(dataset.size());
  const auto natural = static_cast<std::int64_t>(correct.size());
  return {.natural = static_cast<double>(natural) / n,
          .robust = static_cast<double>(natural - broken) / n,
          .largest_class_share =
              static_cast<double>(*std::max_element(predicted.begin(), predicted.end())) / n};
}

}  // namespace namid::eval
