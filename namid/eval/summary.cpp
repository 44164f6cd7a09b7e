// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/summary.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "namid/core/format.h"
#include "namid/core/statistics.h"
#include "namid/eval/accuracy.h"
#include "namid/eval/attempt_norm.h"
#include "namid/eval/drawn_verdicts.h"
#include "namid/eval/rescue.h"
#include "namid/eval/surrogate.h"

namespace namid::eval {
namespace {

using json = nlohmann::json;
using Ids = std::unordered_set<std::uint64_t>;

struct Counts {
  std::int64_t n = 0, natural = 0, robust = 0;
};

/// An attack's rows of all rounds.
struct Tally {
  Ids tried, broken;
  std::int64_t refuted = 0, eight_bit = 0, forwards = 0, backwards = 0;
  double seconds = 0, largest_norm = 0;

  Tally(const std::vector<AttemptRow>& attempts, attacks::Norm norm) {
    for (const auto& attempt : attempts) {
      tried.insert(attempt.sample);
      if (attempt.success) {
        broken.insert(attempt.sample);
        largest_norm = std::max(largest_norm, norm_of(attempt, norm));
      }
      refuted += attempt.refuted;
      eight_bit += attempt.eight_bit;
      forwards += attempt.forwards;
      backwards += attempt.backwards;
      if (std::isfinite(attempt.seconds)) seconds += attempt.seconds;
    }
  }

  json row(const std::string& name, std::int64_t robust, std::int64_t n, double confidence) const {
    return {{"name", name},
            {"attacked", tried.size()},
            {"broken", broken.size()},
            {"robust", accuracy_json(robust, n, confidence)},
            {"refuted", refuted},
            {"eight_bit", eight_bit},
            {"passes", {{"forwards", forwards}, {"backwards", backwards}}},
            {"seconds", seconds}};
  }
};

void add_accuracies(json& out, const Counts& counts, bool attacked, double confidence) {
  out["natural"] = accuracy_json(counts.natural, counts.n, confidence);
  if (attacked) out["robust"] = accuracy_json(counts.robust, counts.n, confidence);
}

/// Counts of all samples, and of each class.
std::pair<Counts, std::vector<Counts>> count(const std::vector<SampleRow>& samples,
                                             const Ids& broken, std::size_t classes) {
  Counts total;
  std::vector<Counts> by_class(classes);
  for (const auto& sample : samples) {
    for (auto* counts : {&total, &by_class.at(static_cast<std::size_t>(sample.label))}) {
      ++counts->n;
      counts->natural += sample.correct;
      counts->robust += sample.correct && !broken.contains(sample.sample);
    }
  }
  return {total, by_class};
}

}  // namespace

json summarise(const Ledger& ledger, const SummaryFacts& facts) {
  const auto samples = ledger.samples();
  const auto natural = std::count_if(samples.begin(), samples.end(),
                                     [](const auto& sample) { return sample.correct; });
  const auto n = std::ssize(samples);
  Ids broken;
  DrawnVerdicts drawn(samples);
  json rows = json::array();
  bool attacked = false;
  double largest_norm = 0;
  for (std::size_t i = 0; i < facts.attacks.size(); ++i) {
    const auto& name = facts.attacks[i];
    if (i < facts.errors.size() && !facts.errors[i].empty()) {
      rows.push_back({{"name", name}, {"error", facts.errors[i]}});
      continue;
    }
    attacked = true;
    const auto attempts = ledger.attempts(name);
    drawn.add(attempts);
    const Tally tally(attempts, facts.norm);
    broken.insert(tally.broken.begin(), tally.broken.end());
    largest_norm = std::max(largest_norm, tally.largest_norm);
    const auto lost = facts.combine == Combine::each ? tally.broken.size() : broken.size();
    rows.push_back(tally.row(name, natural - static_cast<std::int64_t>(lost), n, facts.confidence));
  }

  const auto [total, by_class] = count(samples, broken, facts.class_names.size());
  json result = {{"n", total.n},
                 {"combine", std::string(to_string(facts.combine))},
                 {"attacks", rows},
                 {"per_class", json::array()}};
  add_accuracies(result, total, attacked, facts.confidence);
  if (attacked) {
    result["largest_norm"] = largest_norm;
    result["headline"] = {{"upper", result["robust"]["upper"]}, {"lower", nullptr}};
  }
  if (drawn.complete())
    result["drawn"] = drawn.to_json(std::stoll(ledger.identity().at("verdict_draws")), attacked);
  for (std::size_t label = 0; label < by_class.size(); ++label) {
    if (by_class[label].n == 0) continue;
    json row = {{"class", facts.class_names[label]}, {"n", by_class[label].n}};
    add_accuracies(row, by_class[label], attacked, facts.confidence);
    result["per_class"].push_back(std::move(row));
  }
  return result;
}

json summarise(const Ledger& ledger, const Evaluation& job, const Suite& suite,
               const std::vector<std::string>& errors) {
  SummaryFacts facts{.attacks = {},
                     .errors = errors,
                     .combine = suite.combine,
                     .class_names = job.dataset.class_names,
                     .confidence = job.options.confidence};
  for (const auto& attack : suite.attacks) {
    facts.attacks.push_back(attack.name);
    facts.norm = attack.budget.norm;
  }
  for (auto label = std::ssize(facts.class_names); label < job.model.info().num_classes; ++label)
    facts.class_names.push_back(str(label));
  auto result = summarise(ledger, facts);
  result["suite"] = suite.name;
  if (suite.surrogate) result["surrogate"] = surrogate_json(*suite.surrogate);
  if (auto rescue = rescue_json(ledger, suite); !rescue.is_null()) result["rescue"] = rescue;
  result["compute_batch"] = job.options.compute_batch;
  return result;
}

}  // namespace namid::eval
