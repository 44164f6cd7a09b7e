// SPDX-License-Identifier: Apache-2.0
#include "namid/report/results.h"

#include <cmath>

#include "namid/core/format.h"

namespace namid::report {
namespace {

constexpr std::string_view kEvaluationSuffix = "-evaluation";

bool is_evaluation(const RunData& run) {
  return text_at(run.record, "command") == "evaluate";
}

std::string attack_names(const RunData& run) {
  std::string names;
  for (int i = 0; find_member(run.record, str("result/attacks/", i)); ++i) {
    names += str(i ? ", " : "", text_at(run.record, str("result/attacks/", i, "/name")));
  }
  return names;
}

std::string step_size_text(const RunData& run, const std::optional<double>& epsilon) {
  const std::string text = option_of(run, "attack/step_size");
  const auto number = number_at(run.record, "options/attack/step_size");
  if (number) return epsilon_text(*number);
  if (text == "auto" && epsilon) return str(epsilon_text(*epsilon / 4), ", a quarter of epsilon");
  return text;
}

/// A training run's own defence; an evaluation records that of the model it attacked.
std::string defense_of(const RunData& run) {
  const std::string own = option_of(run, "defense");
  return own.empty() ? text_at(run.record, "defense") : own;
}

ResultRow row_of(const RunData& run) {
  return {.run = run.name(),
          .defense = defense_of(run),
          .status = text_at(run.record, "status"),
          .natural = std::nullopt,
          .robust = std::nullopt,
          .n = std::nullopt,
          .seconds = number_at(run.record, "seconds"),
          .attack = attack_of(run)};
}

void take_evaluation(ResultRow& row, const RunData& evaluation) {
  const bool chosen = text_at(evaluation.record, "chosen_on") == "test";
  row.source = chosen ? Source::chosen_test : Source::test;
  row.natural = accuracy_at(evaluation, "result/natural");
  row.robust = accuracy_at(evaluation, "result/robust");
  row.certified = accuracy_at(evaluation, "result/certificates");
  row.n = number_at(evaluation.record, "result/n");
  row.attack = attack_of(evaluation);
}

void take_validation(ResultRow& row, const RunData& run) {
  row.natural = accuracy_at(run, "result/validation/natural_accuracy");
  row.robust = accuracy_at(run, "result/validation/robust_accuracy");
  const bool test = text_at(run.record, "result/validated_on") == "test";
  row.n = number_at(run.record, test ? "data/test" : "data/validation");
  if (row.n == 0.0) row.n.reset();
  if (row.natural || row.robust) row.source = test ? Source::chosen_test : Source::validation;
}

ResultRow training_row(const RunData& run) {
  ResultRow row = row_of(run);
  const auto evaluations = evaluations_of(run);
  if (evaluations.empty()) {
    take_validation(row, run);
  } else {
    take_evaluation(row, *evaluations.front().second);
  }
  return row;
}

/// A certification without attacks.
ResultRow certified_row(const RunData& run) {
  ResultRow row = row_of(run);
  row.source = Source::test;
  row.natural = accuracy_at(run, "result/natural");
  row.certified = accuracy_at(run, "result/certificates");
  row.n = number_at(run.record, "result/n");
  row.attack = {.norm = option_of(run, "norm"),
                .epsilon = number_at(run.record, "options/epsilon")};
  return row;
}

ResultRow demo_row(const RunData& demo, int index) {
  const std::string path = str("result/rows/", index);
  ResultRow row = row_of(demo);
  const std::string name = text_at(demo.record, path + "/run");
  row.defense = text_at(demo.record, path + "/defense");
  row.run = name.empty() ? row.defense : name;
  row.source = Source::test;
  row.natural = accuracy_at(demo, path + "/natural");
  row.robust = accuracy_at(demo, path + "/robust");
  row.n = number_at(demo.record, path + "/n");
  row.seconds = number_at(demo.record, path + "/seconds");
  const std::string named = text_at(demo.record, path + "/evaluation");
  const RunData* evaluation = demo.child(named.empty() ? str(name, kEvaluationSuffix) : named);
  row.attack = evaluation ? attack_of(*evaluation) : AttackFacts{};
  return row;
}

/// What a demo that has not ended has measured so far.
std::vector<ResultRow> unfinished_rows(const RunData& demo) {
  std::vector<ResultRow> rows;
  for (const auto& [name, evaluation] : evaluations_of(demo)) {
    const RunData* training = demo.child(name);
    ResultRow row = row_of(training ? *training : *evaluation);
    take_evaluation(row, *evaluation);
    row.run = name;
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

AttackFacts attack_of(const RunData& run) {
  if (!find_member(run.record, "options/attack")) {
    for (const auto& [name, evaluation] : evaluations_of(run)) {
      if (evaluation != &run) return attack_of(*evaluation);
    }
  }
  AttackFacts facts{.name = attack_names(run),
                    .norm = option_of(run, "attack/norm"),
                    .epsilon = number_at(run.record, "options/attack/epsilon"),
                    .steps = option_of(run, "attack/steps"),
                    .restarts = option_of(run, "attack/restarts"),
                    .start = option_of(run, "attack/start"),
                    .judge = option_of(run, "attack/judge"),
                    .loss = option_of(run, "attack/loss")};
  const auto suite = option_of(run, "suite");
  if (!suite.empty() && suite != "pgd")  // its attacks have options of their own, in the ledger
    return {.name = facts.name, .norm = facts.norm, .epsilon = facts.epsilon};
  if (facts.name.empty() && !facts.steps.empty()) facts.name = "pgd-" + facts.steps;
  facts.step_size = step_size_text(run, facts.epsilon);
  return facts;
}

std::string radius_text(double epsilon) {
  constexpr double kLevels = 255;
  const double levels = epsilon * kLevels;
  const bool whole = std::abs(levels - std::round(levels)) < 1e-6 && std::round(levels) >= 1;
  return whole && levels < kLevels - 0.5 ? str(fixed(levels, 0), "/255") : shortest(epsilon);
}

std::string epsilon_text(double epsilon) {
  const auto text = radius_text(epsilon);
  return text.ends_with("/255") ? str(text, " (", fixed(epsilon, 4), ")") : text;
}

std::string norm_text(const std::string& norm) {
  if (norm == "linf") return "L∞";
  if (norm == "l2") return "L2";
  return norm == "l1" ? "L1" : norm;
}

std::string class_text(const RunData& run, std::int64_t label) {
  const std::string known = text_at(run.record, str("data/classes/", label));
  return known.empty() ? str("class ", label) : known;
}

std::vector<ResultRow> result_rows(const RunData& run) {
  std::vector<ResultRow> rows;
  for (int i = 0; find_member(run.record, str("result/rows/", i)); ++i) {
    rows.push_back(demo_row(run, i));
  }
  const std::string command = text_at(run.record, "command");
  if (rows.empty() && command == "demo") rows = unfinished_rows(run);
  if (!rows.empty()) return rows;
  if (command == "certify") return {certified_row(run)};
  if (!is_evaluation(run)) return {training_row(run)};
  ResultRow row = row_of(run);
  take_evaluation(row, run);
  return {row};
}

std::vector<std::pair<std::string, const RunData*>> evaluations_of(const RunData& run) {
  if (is_evaluation(run)) return {{run.name(), &run}};
  std::vector<std::pair<std::string, const RunData*>> found;
  for (const RunData& child : run.children) {
    if (!is_evaluation(child)) continue;
    std::string name = child.name();
    if (name.ends_with(kEvaluationSuffix)) name.resize(name.size() - kEvaluationSuffix.size());
    found.emplace_back(std::move(name), &child);
  }
  return found;
}

}  // namespace namid::report
