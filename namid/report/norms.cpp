// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "namid/core/format.h"
#include "namid/report/evidence.h"
#include "namid/report/parts.h"
#include "namid/report/results.h"
#include "namid/report/sections.h"
#include "namid/report/svg.h"

namespace namid::report {
namespace {

constexpr int kBins = 24;
constexpr std::size_t kMostFigures = 12;
constexpr double kFull = 0.995;  ///< of the budget: as good as all of it

std::string norm_name(const std::string& norm) {
  if (norm == "linf") return "L∞";
  if (norm == "l2") return "L2";
  if (norm == "l1") return "L1";
  return norm;
}

/// Whether every success used the whole budget, as one gradient attack's does.
bool all_at_the_budget(const Evidence& evidence, double epsilon) {
  return std::all_of(evidence.attacks.begin(), evidence.attacks.end(), [&](const auto& attack) {
    return attack.norms.empty() || attack.norms.front() >= kFull * epsilon;
  });
}

double median_of(const std::vector<double>& sorted) {
  const auto middle = sorted.size() / 2;
  return sorted.size() % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

void add_histograms(Html& page, const Evidence& evidence, double largest) {
  page.open("div", {{"class", "grid"}});
  std::size_t drawn = 0;
  for (const auto& attack : evidence.attacks) {
    if (attack.norms.empty() || drawn == kMostFigures) continue;
    const auto chart = histogram({.title = str("Norms of ", attack.name),
                                  .x_name = norm_name(evidence.norm),
                                  .values = attack.norms,
                                  .high = largest,
                                  .bins = kBins,
                                  .colour = static_cast<int>(drawn % 6)});
    add_figure(page, attack.name,
               str(attack.norms.size(), " images, median ", fixed(median_of(attack.norms), 4)),
               chart);
    ++drawn;
  }
  page.close();
}

}  // namespace

void add_norms(Html& page, const RunData& run) {
  const auto evidence = read_evidence(run);
  if (!evidence) return;
  double largest = 0;
  for (const auto& attack : evidence->attacks)
    if (!attack.norms.empty()) largest = std::max(largest, attack.norms.back());
  if (!(largest > 0)) return;
  add_heading(page, "Norms of what broke images");
  const auto epsilon = attack_of(run).epsilon;
  if (epsilon && all_at_the_budget(*evidence, *epsilon)) {
    add_paragraph(page, str("Every success used the whole budget: ", norm_name(evidence->norm),
                            " of at least ", fixed(kFull * *epsilon, 4),
                            ". These attacks look for no smaller perturbation."));
    return;
  }
  add_paragraph(page,
                "Of each image that an attack broke, the smallest perturbation of that attack, as "
                "the verifier measured it.");
  add_histograms(page, *evidence, largest);
}

}  // namespace namid::report
