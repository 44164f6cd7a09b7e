// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/summary.h"

#include <unordered_set>

#include "namid/core/format.h"
#include "namid/eval/accuracy.h"

namespace namid::eval {
namespace {

using json = nlohmann::json;

struct Counts {
  std::int64_t n = 0, natural = 0, robust = 0;
};

json attack_json(const std::string& name, const std::vector<AttemptRow>& attempts,
                 const Counts& total, double confidence) {
  std::int64_t broken = 0, refuted = 0, forwards = 0, backwards = 0;
  double seconds = 0;
  for (const auto& attempt : attempts) {
    broken += attempt.success;
    refuted += attempt.refuted;
    forwards += attempt.forwards;
    backwards += attempt.backwards;
    seconds += attempt.seconds;
  }
  return {{"name", name},
          {"robust", accuracy_json(total.natural - broken, total.n, confidence)},
          {"refuted", refuted},
          {"passes", {{"forwards", forwards}, {"backwards", backwards}}},
          {"seconds", seconds}};
}

std::string class_name(const data::Dataset& dataset, std::size_t label) {
  return label < dataset.class_names.size() ? dataset.class_names[label] : str(label);
}

void add_accuracies(json& out, const Counts& counts, bool attacked, double confidence) {
  out["natural"] = accuracy_json(counts.natural, counts.n, confidence);
  if (attacked) out["robust"] = accuracy_json(counts.robust, counts.n, confidence);
}

}  // namespace

json summarise(const Ledger& ledger, const Evaluation& job, std::span<const AttackEntry> attacks,
               const std::vector<std::string>& errors) {
  const double confidence = job.options.confidence;
  std::unordered_set<std::uint64_t> broken;
  bool attacked = false;
  for (std::size_t i = 0; i < attacks.size(); ++i) {
    if (!errors[i].empty()) continue;
    attacked = true;
    for (const auto& attempt : ledger.attempts(attacks[i].name))
      if (attempt.success) broken.insert(attempt.sample);
  }

  Counts total;
  std::vector<Counts> classes(static_cast<std::size_t>(job.model.info().num_classes));
  for (const auto& sample : ledger.samples()) {
    for (auto* counts : {&total, &classes.at(static_cast<std::size_t>(sample.label))}) {
      ++counts->n;
      counts->natural += sample.correct;
      counts->robust += sample.correct && !broken.contains(sample.sample);
    }
  }

  json result = {{"n", total.n}, {"attacks", json::array()}, {"per_class", json::array()}};
  add_accuracies(result, total, attacked, confidence);
  for (std::size_t i = 0; i < attacks.size(); ++i) {
    const auto& name = attacks[i].name;
    result["attacks"].push_back(errors[i].empty()
                                    ? attack_json(name, ledger.attempts(name), total, confidence)
                                    : json{{"name", name}, {"error", errors[i]}});
  }
  for (std::size_t label = 0; label < classes.size(); ++label) {
    if (classes[label].n == 0) continue;
    json row = {{"class", class_name(job.dataset, label)}, {"n", classes[label].n}};
    add_accuracies(row, classes[label], attacked, confidence);
    result["per_class"].push_back(std::move(row));
  }
  return result;
}

}  // namespace namid::eval
