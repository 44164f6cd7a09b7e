// SPDX-License-Identifier: Apache-2.0
#include "namid/core/format.h"
#include "namid/report/parts.h"
#include "namid/report/sections.h"

namespace namid::report {
namespace {

struct Cost {
  std::optional<double> attacked, forwards, backwards, seconds;
};

Cost cost_at(const RunData& run, const std::string& path) {
  return {.attacked = number_at(run.record, path + "/attacked"),
          .forwards = number_at(run.record, path + "/passes/forwards"),
          .backwards = number_at(run.record, path + "/passes/backwards"),
          .seconds = number_at(run.record, path + "/seconds")};
}

void add_to(std::optional<double>& sum, const std::optional<double>& part) {
  if (part) sum = sum.value_or(0) + *part;
}

std::string rate(const std::optional<double>& part, const std::optional<double>& whole) {
  return part && whole && *whole > 0 ? fixed(*part / *whole, 1) : std::string();
}

Cells cost_cells(const std::string& name, const Cost& cost) {
  return {words(name),
          number(count_text(cost.attacked)),
          number(count_text(cost.forwards)),
          number(count_text(cost.backwards)),
          number(rate(cost.forwards, cost.attacked)),
          number(rate(cost.backwards, cost.attacked)),
          number(duration_text(cost.seconds))};
}

std::string memory_text(const RunData& run) {
  constexpr double kMebi = 1024.0 * 1024;
  const auto bytes = number_at(run.record, "peak_memory");
  return bytes ? fixed(*bytes / kMebi, 0) + " MiB" : std::string();
}

}  // namespace

void add_cost(Html& page, const RunData& run) {
  std::vector<Cells> table;
  Cost total;
  for (int i = 0; find_member(run.record, str("result/attacks/", i)); ++i) {
    const auto path = str("result/attacks/", i);
    const Cost cost = cost_at(run, path);
    if (!cost.forwards) continue;
    table.push_back(cost_cells(text_at(run.record, path + "/name"), cost));
    add_to(total.forwards, cost.forwards);
    add_to(total.backwards, cost.backwards);
    add_to(total.seconds, cost.seconds);
  }
  if (table.empty()) return;
  if (table.size() > 1) table.push_back(cost_cells("all", total));
  add_heading(page, "What it cost");
  add_table(page,
            "Passes are counted in images: one image through the network once. Time is that of the "
            "attacks and the verifier.",
            {words("attack"), number("images"), number("forward passes"), number("backward passes"),
             number("forward an image"), number("backward an image"), number("time")},
            table);
  add_facts(page, {{"whole run", duration_text(number_at(run.record, "seconds"))},
                   {"peak memory of the process", memory_text(run)},
                   {"threads", text_at(run.record, "environment/threads")},
                   {"compute batch", text_at(run.record, "result/compute_batch")}});
}

}  // namespace namid::report
