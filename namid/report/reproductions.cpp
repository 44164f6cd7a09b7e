// SPDX-License-Identifier: Apache-2.0
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/report/figure_scores.h"
#include "namid/report/parts.h"
#include "namid/report/reproduction.h"
#include "namid/report/sections.h"

namespace namid::report {
namespace {

using nlohmann::json;

void add_rows(Html& page, const json& rows, const std::string& judge) {
  add_lines(page, "Accuracies in percent, mean ± standard deviation over seeds",
            accuracy_lines(rows, judge), 2);
  const auto effects = effect_lines(rows);
  if (effects.size() > 1)
    add_lines(page, "Differences in percentage points over paired seeds", effects, 4);
}

}  // namespace

void add_reproduction(Html& page, const RunData& run) {
  const json* rows = find_member(run.record, "result/rows");
  const json* scores = find_member(run.record, "result/scores");
  if (text_at(run.record, "command") != "reproduce" || rows == nullptr || scores == nullptr) return;
  add_heading(page, "Published and measured");
  try {
    if (!rows->empty()) add_rows(page, *rows, text_at(run.record, "result/judge"));
    if (!scores->empty())
      add_lines(page,
                "DV scores in nats, smallest at 0, mean ± standard deviation over seeds; not "
                "mutual information",
                score_lines(*scores), 3);
  } catch (const json::exception& error) {
    throw DataError(str((run.path / "run.json").string(),
                        ": result: expected the rows of a reproduction: ", error.what()));
  }
}

}  // namespace namid::report
