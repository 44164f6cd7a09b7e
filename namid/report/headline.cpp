// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "namid/core/format.h"
#include "namid/report/parts.h"
#include "namid/report/results.h"
#include "namid/report/sections.h"
#include "namid/report/svg.h"

namespace namid::report {
namespace {

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) {
    if (!word.empty()) text += str(text.empty() ? "" : between, word);
  }
  return text;
}

std::string with(const char* before, const std::string& word, const char* after = "") {
  return word.empty() ? word : str(before, word, after);
}

std::string moment(std::string time) {
  std::replace(time.begin(), time.end(), 'T', ' ');
  if (time.ends_with('Z')) time.replace(time.size() - 1, 1, " UTC");
  return time;
}

std::string status_words(const std::string& status) {
  if (status == "failed") return "This run failed.";
  if (status == "interrupted") return "This run was interrupted; what follows is unfinished.";
  if (status == "running") return "This run has not ended; what follows is unfinished.";
  return str("This run's status is '", status, "'.");
}

void add_status(Html& page, const RunData& run) {
  const std::string status = text_at(run.record, "status");
  if (status == "done" || status.empty()) return;
  const bool known = status == "failed" || status == "interrupted" || status == "running";
  page.open("div", {{"class", str("alert ", known ? status : "failed")}, {"role", "note"}});
  page.element("strong", status_words(status));
  page.text(with(" ", text_at(run.record, "error")));
  page.text(with(" Exit code ", text_at(run.record, "exit_code"), "."));
  page.close();
}

void collect_warnings(const RunData& run, const std::string& prefix,
                      std::vector<std::string>& warnings) {
  const auto* list = find_member(run.record, "result/warnings");
  if (list && list->is_array()) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      const std::string text = text_at(*list, std::to_string(i));
      if (!text.empty()) warnings.push_back(prefix + text);
    }
  }
  if (run.unreadable_rows > 0) {
    warnings.push_back(
        str(prefix, "metrics.jsonl: unreadable lines left out: ", run.unreadable_rows));
  }
  for (const RunData& child : run.children) {
    const std::string status = text_at(child.record, "status");
    if (status != "done" && !status.empty()) warnings.push_back(str(child.name(), ": ", status));
    collect_warnings(child, child.name() + ": ", warnings);
  }
}

void add_warnings(Html& page, const RunData& run) {
  std::vector<std::string> warnings;
  collect_warnings(run, "", warnings);
  if (warnings.empty()) return;
  page.open("div", {{"class", "alert"}, {"role", "note"}});
  page.element("strong", warnings.size() == 1 ? "Warning" : "Warnings").open("ul");
  for (const std::string& warning : warnings) page.element("li", warning);
  page.close().close();
}

std::string source_word(const ResultRow& row) {
  if (row.source == Source::validation) return " on validation images";
  return row.source == Source::chosen_test ? " on test images that chose the weights" : "";
}

void add_card(Html& page, const std::string& name, const Accuracy& accuracy, const ResultRow& row,
              int colour) {
  page.open("div", {{"class", "card"}});
  page.element("p", str(name, source_word(row)), {{"class", "name"}});
  page.element("p", percent(accuracy.value), {{"class", str("big c", colour)}});
  if (accuracy.bounds) {
    const std::string level =
        accuracy.confidence > 0 ? str(shortest(100 * accuracy.confidence), " % interval ") : "";
    page.element("p", str(level, fixed(100 * accuracy.bounds->first, 1), " to ",
                          fixed(100 * accuracy.bounds->second, 1), " %"));
  }
  if (accuracy.correct && row.n) {
    page.element("p", str(count_text(accuracy.correct), " of ", count_text(row.n), " images"),
                 {{"class", "note"}});
  }
  page.close();
}

Interval interval_of(const std::string& name, int colour, const Accuracy& accuracy) {
  return {name, colour, accuracy.value, accuracy.bounds, accuracy.confidence};
}

IntervalGroup group_of(const ResultRow& row, bool is_named) {
  IntervalGroup group;
  if (is_named)
    group.name = row.run == row.defense ? row.run : joined({row.run, row.defense}, ", ");
  if (row.natural) group.intervals.push_back(interval_of("natural", 0, *row.natural));
  if (row.robust) group.intervals.push_back(interval_of("robust", 1, *row.robust));
  if (row.certified) group.intervals.push_back(interval_of("certified", 2, *row.certified));
  return group;
}

/// The bounds from both sides, and what each says.
void add_two_sides(Html& page, const ResultRow& row) {
  const auto& attack = row.attack;
  page.open("p").text("The robust accuracy on these images ");
  if (attack.epsilon)
    page.text(str("against every change of at most ", epsilon_text(*attack.epsilon), " "));
  page.text("lies between ").element("strong", str("L = ", percent(row.certified->value)));
  const auto& upper = row.robust ? row.robust : row.natural;
  if (upper) page.text(" and ").element("strong", str("U = ", percent(upper->value)));
  page.text(".").close();
  add_paragraph(page, str("L: these images are certified, no attack whatever can change their "
                          "class. U: ",
                          row.robust ? "no attack that was run changed it; a stronger one might."
                                     : "they are classified right; no attack was run.",
                          " Between the two nothing is known."));
}

/// `decision`: what a run with a stopping rule says of its intervals.
void add_meaning(Html& page, const std::vector<ResultRow>& rows, const std::string& decision) {
  const bool validation = rows.front().source == Source::validation;
  const bool bounded = rows.front().robust && rows.front().robust->bounds;
  if (!decision.empty()) {
    add_paragraph(page, decision + ".");
  } else if (bounded) {
    add_paragraph(
        page,
        "Each interval (Clopper-Pearson) is the sampling error of these images under this "
        "attack only.");
  }
  if (validation) {
    add_paragraph(
        page,
        "These are numbers on validation images, measured during training; no test images "
        "were evaluated.");
  }
  if (rows.front().source == Source::chosen_test) {
    add_paragraph(page,
                  "The weights were chosen among the epochs by these very test images (select = "
                  "test, as the released code does): the numbers are biased upwards and compare "
                  "with no others.");
  }
  if (rows.front().certified) return add_two_sides(page, rows.front());
  add_paragraph(
      page,
      "Accuracy under an attack is an upper bound on robustness: a stronger attack can only "
      "lower it. Without certificates there is no lower bound, and none is claimed here.");
}

void add_overview(Html& page, const std::vector<ResultRow>& rows, const std::string& decision) {
  std::vector<IntervalGroup> groups;
  for (const ResultRow& row : rows) {
    IntervalGroup group = group_of(row, rows.size() > 1);
    if (!group.intervals.empty()) groups.push_back(std::move(group));
  }
  page.open("div", {{"class", "grid"}});
  add_figure(page, "Accuracy with its interval", "", interval_chart("Accuracy", groups), "wide");
  page.open("div");
  add_meaning(page, rows, decision);
}

}  // namespace

void add_title(Html& page, const RunData& run) {
  const auto& record = run.record;
  const std::string status = text_at(record, "status");
  page.element("p", with("namid ", text_at(record, "command")), {{"class", "kind"}});
  page.element("h1", run.name());
  page.open("p", {{"class", "facts"}});
  page.text(joined(
      {with("data ", text_at(record, "data/name")), with("model ", text_at(record, "model/name")),
       with("defence ", option_of(run, "defense")), with("seed ", text_at(record, "seed"))},
      " · "));
  page.close().open("p", {{"class", "facts"}});
  if (status == "done") page.element("span", "done", {{"class", "state done"}}).text(" · ");
  page.text(joined({with("started ", moment(text_at(record, "started"))),
                    with("took ", duration_text(number_at(record, "seconds")))},
                   " · "));
  page.close();
  add_status(page, run);
  add_warnings(page, run);
}

void add_headline(Html& page, const RunData& run) {
  const std::vector<ResultRow> rows = result_rows(run);
  const bool measured = std::any_of(rows.begin(), rows.end(),
                                    [](const ResultRow& row) { return row.natural || row.robust; });
  if (!measured) return;
  add_heading(page, "Result");
  if (rows.size() == 1) {
    page.open("div", {{"class", "cards"}});
    if (rows[0].natural) add_card(page, "Natural accuracy", *rows[0].natural, rows[0], 0);
    if (rows[0].robust) add_card(page, "Robust accuracy", *rows[0].robust, rows[0], 1);
    if (rows[0].certified) add_card(page, "Certified accuracy", *rows[0].certified, rows[0], 2);
    page.close();
  }
  add_overview(page, rows, text_at(run.record, "result/decision/text"));
  const std::string note = text_at(run.record, "result/note");
  if (!note.empty()) {
    add_paragraph(page, str("Note of this run: ", note,
                            ". Differences within the intervals, or between "
                            "single seeds, are no findings."));
  }
  page.close().close();
}

}  // namespace namid::report
