// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "namid/core/format.h"
#include "namid/report/parts.h"
#include "namid/report/sections.h"

namespace namid::report {
namespace {

Cells alarm_cells(const RunData& run, const std::string& path, const std::string& label) {
  const auto at = [&](const char* key) { return text_at(run.record, str(path, "/", key)); };
  std::string name = at("alarm");
  std::replace(name.begin(), name.end(), '_', ' ');
  const std::string first = at("first_epoch"), last = at("last_epoch");
  return {{.text = str(label, name)},
          {.text = at("action")},
          {.text = at("epochs"), .is_number = true},
          {.text = first == last ? first : str(first, " to ", last)},
          {.text = at("text")}};
}

void collect(const RunData& run, const std::string& label, std::vector<Cells>& table) {
  for (int i = 0; find_member(run.record, str("result/alarms/", i)); ++i)
    table.push_back(alarm_cells(run, str("result/alarms/", i), label));
}

}  // namespace

void add_alarms(Html& page, const RunData& run) {
  std::vector<Cells> table;
  collect(run, "", table);
  for (const RunData& child : run.children) collect(child, child.name() + ": ", table);
  if (table.empty()) return;
  add_heading(page, "Alarms");
  add_table(page, "Raised in training",
            {{.text = "alarm"},
             {.text = "action"},
             {.text = "epochs", .is_number = true},
             {.text = "from epoch to epoch"},
             {.text = "when it was raised"}},
            table);
}

}  // namespace namid::report
