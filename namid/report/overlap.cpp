// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "namid/core/format.h"
#include "namid/report/evidence.h"
#include "namid/report/parts.h"
#include "namid/report/sections.h"
#include "namid/report/svg.h"

namespace namid::report {
namespace {

constexpr std::size_t kMostPaired = 12;  ///< attacks in the table of pairs

Cell count_cell(std::int64_t count) {
  return number(std::to_string(count));
}

void add_shares(Html& page, const Evidence& evidence, bool is_chain) {
  const auto shares = shares_of(evidence.attacks);
  std::vector<Cells> table;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const auto& attack = evidence.attacks[i];
    Cells row = {words(attack.name), count_cell(std::ssize(attack.attacked)),
                 count_cell(shares[i].broken)};
    if (!is_chain) {
      row.push_back(count_cell(shares[i].first));
      row.push_back(count_cell(shares[i].only));
    }
    table.push_back(std::move(row));
  }
  Cells header = {words("attack"), number("images attacked"), number("broken")};
  if (!is_chain) {
    header.push_back(number("not broken by those above"));
    header.push_back(number("broken by no other"));
  }
  add_table(page,
            is_chain ? "Each attack saw only what those above it had left; how they overlap is not "
                       "known."
                     : "Every attack saw all images that were classified correctly.",
            header, table);
}

void add_pairs(Html& page, const Evidence& evidence) {
  const auto count = std::min(evidence.attacks.size(), kMostPaired);
  Cells header = {words("broken by")};
  for (std::size_t i = 0; i < count; ++i) header.push_back(number(evidence.attacks[i].name));
  std::vector<Cells> table;
  for (std::size_t i = 0; i < count; ++i) {
    Cells row = {words(evidence.attacks[i].name)};
    for (std::size_t j = 0; j < count; ++j)
      row.push_back(count_cell(both_broke(evidence.attacks[i], evidence.attacks[j])));
    table.push_back(std::move(row));
  }
  page.open("details").element("summary", "Pairs of attacks");
  add_table(page, "Images that both broke", header, table);
  page.close();
}

std::string class_of(const RunData& run, std::int64_t label) {
  const std::string known = text_at(run.record, str("data/classes/", label));
  return known.empty() ? str("class ", label) : known;
}

void add_by_class(Html& page, const RunData& run, const Evidence& evidence) {
  std::map<std::int64_t, std::vector<std::uint64_t>> correct;
  for (const auto& sample : evidence.samples)
    if (sample.correct) correct[sample.label].push_back(sample.sample);
  Cells header = {words("class"), number("classified correctly")};
  for (const auto& attack : evidence.attacks) header.push_back(number(attack.name));
  std::vector<Cells> table;
  for (const auto& [label, ids] : correct) {
    Cells row = {words(class_of(run, label)), count_cell(std::ssize(ids))};
    for (const auto& attack : evidence.attacks)
      row.push_back(count_cell(std::count_if(
          ids.begin(), ids.end(), [&](std::uint64_t id) { return attack.broken.contains(id); })));
    table.push_back(std::move(row));
  }
  page.open("details").element("summary", "By class");
  add_table(page, "Images of each class that each attack broke", header, table);
  page.close();
}

}  // namespace

void add_overlap(Html& page, const RunData& run) {
  const auto evidence = read_evidence(run);
  if (!evidence || evidence->attacks.empty()) return;
  const bool is_chain = text_at(run.record, "result/combine") == "worst_case";
  add_heading(page, "Which attack broke what");
  add_shares(page, *evidence, is_chain);
  if (!is_chain && evidence->attacks.size() > 1) add_pairs(page, *evidence);
  add_by_class(page, run, *evidence);
}

}  // namespace namid::report
