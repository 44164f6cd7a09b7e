// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "namid/core/format.h"
#include "namid/report/parts.h"
#include "namid/report/results.h"
#include "namid/report/sections.h"
#include "namid/report/svg.h"

namespace namid::report {
namespace {

using nlohmann::json;

void add_defense_table(Html& page, const std::vector<ResultRow>& rows) {
  std::vector<Cells> table;
  for (const ResultRow& row : rows) {
    table.push_back({words(row.defense.empty() ? row.run : row.defense), accuracy_cell(row.natural),
                     accuracy_cell(row.robust), number(count_text(row.n)),
                     number(duration_text(row.seconds))});
  }
  add_table(page, "Accuracies with their intervals",
            {words("defence"), number("natural"), number("robust"), number("images"),
             number("training time")},
            table);
}

Cells attack_cells(const RunData& run, const std::string& path) {
  const json& record = run.record;
  const std::string error = text_at(record, path + "/error");
  if (!error.empty()) {
    return {words(text_at(record, path + "/name")), words("failed: " + error)};
  }
  return {words(text_at(record, path + "/name")),
          accuracy_cell(accuracy_at(run, path + "/robust")),
          number(text_at(record, path + "/attacked")),
          number(text_at(record, path + "/broken")),
          number(text_at(record, path + "/eight_bit")),
          number(text_at(record, path + "/refuted"))};
}

void add_attack_table(Html& page, const RunData& run) {
  std::vector<Cells> table;
  for (int i = 0; find_member(run.record, str("result/attacks/", i)); ++i) {
    table.push_back(attack_cells(run, str("result/attacks/", i)));
  }
  if (table.empty()) return;
  add_heading(page, "Attacks");
  add_table(page,
            str(text_at(run.record, "result/combine") == "worst_case"
                    ? "Accuracy after each attack, which attacks what those before it left. "
                    : "Accuracy under each attack. ",
                "As 8 bits: attempts that still break as the nearest image of 256 levels. Refuted: "
                "successes that the verifier did not confirm; they do not count."),
            {words("attack"), number("robust"), number("attacked"), number("broken"),
             number("as 8 bits"), number("refuted")},
            table);
}

Cells drawn_cells(const RunData& run, const char* name, const std::string& path) {
  Cells cells = {words(name)};
  for (const char* key : {"expected", "standard_error", "voted", "always", "ever"}) {
    const auto share = number_at(run.record, str(path, "/", key));
    cells.push_back(number(share ? percent(*share) : ""));
  }
  return cells;
}

/// Of a model that draws random numbers (eval/drawn_verdicts.h).
void add_drawn_table(Html& page, const RunData& run) {
  if (!find_member(run.record, "result/drawn")) return;
  std::vector<Cells> table = {drawn_cells(run, "natural", "result/drawn/natural")};
  if (find_member(run.record, "result/drawn/robust"))
    table.push_back(drawn_cells(run, "robust", "result/drawn/robust"));
  add_heading(page, "Draws of the model");
  add_table(page,
            str("This model draws random numbers. The accuracies above are by majority; these are "
                "by ",
                text_at(run.record, "result/drawn/draws"),
                " further draws on the natural images and on the worst image found for each. One "
                "draw: the share that is right. Voted: most draws are right, beyond doubt."),
            {words("images"), number("one draw"), number("standard error"), number("voted"),
             number("always right"), number("ever right")},
            table);
}

const std::vector<std::pair<const char*, const char*>>& score_names() {
  static const std::vector<std::pair<const char*, const char*>> names = {
      {"natural_on_natural", "natural estimator, natural images"},
      {"natural_on_adversarial", "natural estimator, adversarial images"},
      {"adversarial_on_natural", "adversarial estimator, natural images"},
      {"adversarial_on_adversarial", "adversarial estimator, adversarial images"},
      {"standard_on_adversarial", "standard estimator, adversarial images"}};
  return names;
}

/// Suffixes of keys, and the samples that they mean.
const std::vector<std::pair<const char*, const char*>>& score_sets() {
  static const std::vector<std::pair<const char*, const char*>> sets = {
      {"", ""}, {"_selected", " (selected samples)"}, {"_right", " (right on both images)"}};
  return sets;
}

std::string score_label(const std::string& key) {
  for (const auto& [suffix, set] : score_sets()) {
    for (const auto& [name, label] : score_names())
      if (key == str(name, suffix)) return str(label, set);
  }
  if (key == "right") return "share of samples right on both images";
  return key == "selected" ? "share of samples selected (Eq. 6)" : key;
}

std::string column_label(const std::string& key) {
  if (key == "before") return "standard model";
  if (key == "after_fresh") return "NAMID model, fresh estimators";
  if (key == "after_training_critic") return "NAMID model, estimators it was trained with";
  return key;
}

/// Columns of {"scores": {...}}: an estimation run has one without a name.
std::vector<std::pair<std::string, json>> score_columns(const RunData& run) {
  const json* scores = find_member(run.record, "result/scores");
  std::vector<std::pair<std::string, json>> columns;
  if (!scores || !scores->is_object()) return columns;
  for (const char* known : {"before", "after_fresh", "after_training_critic"}) {
    if (const json* column = find_member(*scores, known)) columns.emplace_back(known, *column);
  }
  if (columns.empty() && !scores->empty()) columns.emplace_back("training data", *scores);
  return columns;
}

std::vector<std::string> score_keys(const std::vector<std::pair<std::string, json>>& columns) {
  std::vector<std::string> keys;
  const auto add = [&](const std::string& key) {
    const bool held = std::any_of(columns.begin(), columns.end(), [&](const auto& column) {
      return number_at(column.second, key).has_value();
    });
    if (held && std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  };
  for (const auto& [suffix, set] : score_sets()) {
    for (const auto& [name, label] : score_names()) add(str(name, suffix));
  }
  for (const auto& [name, column] : columns) {
    if (!column.is_object()) continue;
    for (const auto& [key, value] : column.items()) add(key);
  }
  return keys;
}

std::string class_name(const RunData& run, const std::string& path) {
  const json* member = find_member(run.record, path);
  if (!member || !member->is_number_unsigned()) return text_at(run.record, path);
  return class_text(run, member->get<std::int64_t>());
}

Cells class_cells(const RunData& run, const std::string& path) {
  const auto natural = accuracy_at(run, path + "/natural");
  const auto robust = accuracy_at(run, path + "/robust");
  Cells cells = {words(class_name(run, path + "/class")),
                 number(count_text(number_at(run.record, path + "/n"))), accuracy_cell(natural),
                 accuracy_cell(robust)};
  Cell picture;
  if (natural && robust) picture.picture = accuracy_pair(natural->value, robust->value);
  cells.push_back(std::move(picture));
  return cells;
}

}  // namespace

void add_accuracies(Html& page, const RunData& run) {
  const std::vector<ResultRow> rows = result_rows(run);
  if (rows.size() > 1) {
    add_heading(page, "Accuracies");
    add_defense_table(page, rows);
  }
  add_attack_table(page, run);
  add_drawn_table(page, run);
}

void add_attack(Html& page, const RunData& run) {
  const AttackFacts facts = attack_of(run);
  if (facts.name.empty() && facts.norm.empty() && !facts.epsilon) return;
  add_heading(page, "What the attack was");
  add_paragraph(page, "Images lie in [0, 1]; the norm bounds the change of one image.", "note");
  add_facts(page, {{"attack", facts.name},
                   {"norm", norm_text(facts.norm)},
                   {"epsilon", facts.epsilon ? epsilon_text(*facts.epsilon) : ""},
                   {"steps", facts.steps},
                   {"step size", facts.step_size},
                   {"restarts", facts.restarts},
                   {"start", facts.start},
                   {"iterate that counts", facts.judge},
                   {"loss", facts.loss}});
}

void add_scores(Html& page, const RunData& run) {
  const auto columns = score_columns(run);
  const auto keys = score_keys(columns);
  if (keys.empty()) return;
  Cells header = {words("score")};
  for (const auto& [name, column] : columns) header.push_back(number(column_label(name)));
  std::vector<Cells> table;
  for (const std::string& key : keys) {
    Cells row = {words(score_label(key))};
    for (const auto& [name, column] : columns) {
      const auto value = number_at(column, key);
      row.push_back(number(value ? fixed(*value, 3) : ""));
    }
    table.push_back(std::move(row));
  }
  add_heading(page, "DV scores (nats)");
  add_paragraph(page,
                "These scores are not mutual information. They are Donsker-Varadhan expressions of "
                "trained networks on finite batches: biased upwards by the batch, unbounded, and "
                "without meaning for a model that the estimators were not trained on.");
  add_table(page, "Mean DV score in nats", header, table);
}

void add_classes(Html& page, const RunData& run) {
  bool has_heading = false;
  for (const auto& [name, evaluation] : evaluations_of(run)) {
    std::vector<Cells> table;
    for (int i = 0; find_member(evaluation->record, str("result/per_class/", i)); ++i) {
      table.push_back(class_cells(*evaluation, str("result/per_class/", i)));
    }
    if (table.empty()) continue;
    if (!has_heading) add_heading(page, "Classes");
    has_heading = true;
    const bool nested = evaluation != &run;
    if (nested) page.open("details").element("summary", name);
    add_table(page, str("Accuracy per class", nested ? ", " + name : ""),
              {words("class"), number("images"), number("natural"), number("robust"),
               words("robust to natural, 0 to 100 %")},
              table);
    if (nested) page.close();
  }
}

}  // namespace namid::report
