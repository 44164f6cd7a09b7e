// SPDX-License-Identifier: Apache-2.0
#include "namid/core/format.h"
#include "namid/report/figure_scores.h"
#include "namid/report/parts.h"
#include "namid/report/sections.h"
#include "namid/report/svg.h"

namespace namid::report {
namespace {

using nlohmann::json;

int colour_of(const std::string& name) {
  return name == "natural_on_natural" || name == "adversarial_on_natural" ? 0
         : name == "image_on_adversarial"                                 ? 2
                                                                          : 1;
}

void add_chart(Html& page, const std::string& title, const std::string& note, const json* figure) {
  if (figure == nullptr || !figure->is_object() || figure->empty()) return;
  constexpr double kStandardErrors = 1.96;
  std::vector<ScoreGroup> groups;
  for (const auto& [attack, scores] : figure->items()) {
    ScoreGroup group{.name = attack};
    for (const auto& [name, value] : scores.items()) {
      const auto mean = number_at(value, "mean"), sem = number_at(value, "sem");
      if (mean)
        group.scores.push_back(
            {score_symbol(name), colour_of(name), *mean, kStandardErrors * sem.value_or(0)});
    }
    groups.push_back(std::move(group));
  }
  add_figure(page, title, note, score_chart(title, "nats", groups));
}

void add_score_table(Html& page, const json& attack) {
  std::vector<Cells> rows;
  const json scores = attack.value("scores", json::object());
  for (const auto& [name, value] : scores.items()) {
    const std::string selected = str("selected_scores/", name);
    rows.push_back({words(score_symbol(name)), number(number_at(value, "mean"), 3),
                    number(number_at(value, "sem"), 3),
                    number(number_at(attack, selected + "/mean"), 3),
                    number(number_at(attack, selected + "/sem"), 3)});
  }
  add_table(page,
            str(text_at(attack, "name"), ": ", text_at(attack, "right"),
                " images right on the natural image, ", text_at(attack, "selected"),
                " of them wrong on the adversarial one (Eq. 6)"),
            {words("DV score in nats"), number({}, 0), words("standard error"), words("selected"),
             words("standard error")},
            rows);
}

void add_class_table(Html& page, const json& attack) {
  const json* classes = find_member(attack, "per_class");
  if (classes == nullptr || classes->empty()) return;
  Cells header = {words("class"), words("images"), words("selected")};
  std::vector<std::string> names;
  const json scores = attack.value("scores", json::object());
  for (const auto& [name, value] : scores.items()) {
    names.push_back(name);
    header.push_back(words(score_symbol(name)));
  }
  std::vector<Cells> rows;
  for (const auto& row : *classes) {
    Cells cells = {words(text_at(row, "class")), number(number_at(row, "n"), 0),
                   number(number_at(row, "selected"), 0)};
    for (const auto& name : names) cells.push_back(number(number_at(row, name), 3));
    rows.push_back(std::move(cells));
  }
  add_table(page, str(text_at(attack, "name"), ": mean score per class"), header, rows);
}

}  // namespace

void add_studies(Html& page, const RunData& run) {
  const json* critics = find_member(run.record, "result/critics");
  if (critics == nullptr || !critics->is_array()) return;
  for (const auto& critic : *critics) {
    const bool own = text_at(critic, "trained on this model") == "true";
    add_heading(page, str("Scores under ", text_at(critic, "estimators")));
    add_paragraph(page, str("Estimators of objective ", text_at(critic, "objective"),
                            ", trained on ", own ? "this model" : "another model",
                            ". Donsker-Varadhan scores of trained networks on finite batches, not "
                            "mutual information; written I as in the paper."));
    add_chart(page, "All samples",
              "As in the paper's Fig. 2: the smallest score of all becomes 0, then the mean; "
              "whiskers: 1.96 standard errors over samples.",
              find_member(critic, "fig2"));
    add_chart(page, "Selected samples",
              "As in the paper's Fig. 4: smallest score at 0, for natural and adversarial scores "
              "apart; whiskers: 1.96 standard errors over samples.",
              find_member(critic, "fig4"));
    const json attacks = critic.value("attacks", json::array());
    for (const auto& attack : attacks) {
      add_score_table(page, attack);
      add_class_table(page, attack);
    }
  }
}

}  // namespace namid::report
