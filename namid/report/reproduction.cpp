// SPDX-License-Identifier: Apache-2.0
#include "namid/report/reproduction.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "namid/core/bootstrap.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/paired_tests.h"
#include "namid/core/power.h"
#include "namid/eval/verdicts.h"
#include "namid/report/published.h"

namespace namid::report {
namespace {

using nlohmann::json;
using Values = std::vector<double>;

double percent(const Verdicts& verdicts) {
  const auto right = std::count_if(verdicts.begin(), verdicts.end(), [](auto v) { return v != 0; });
  return 100.0 * static_cast<double>(right) / static_cast<double>(verdicts.size());
}

Values percents(const std::vector<Verdicts>& seeds) {
  Values values;
  for (const auto& verdicts : seeds) values.push_back(percent(verdicts));
  return values;
}

json measured(const Values& values) {
  json object = {{"mean", mean_of(values)}, {"values", values}};
  object["sd"] = values.size() > 1 ? json(deviation_of(values)) : json();
  return object;
}

json measured_columns(const std::map<std::string, std::vector<Verdicts>>& columns,
                      const std::string& judge) {
  json object = json::object();
  for (const auto& [name, verdicts] : columns)
    if (!verdicts.empty()) object[name] = measured(percents(verdicts));
  const auto pgd = columns.find("pgd-40"), strong = columns.find(judge);
  if (pgd == columns.end() || strong == columns.end() || pgd->second.empty() ||
      pgd->second.size() != strong->second.size())
    return object;
  Values gaps = percents(pgd->second);
  const Values judged = percents(strong->second);
  for (std::size_t i = 0; i < gaps.size(); ++i) gaps[i] -= judged[i];
  object["gap"] = measured(gaps);
  return object;
}

json published_columns_of(const MeasuredRow& row) {
  const auto* published = find_published(row.table, row.data, row.norm, row.defense, row.variant);
  json object = json::object();
  if (published == nullptr) return object;
  const auto columns = published_columns(row.table);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto& value = published->values[i];
    if (!value) continue;
    object[columns[i]] = {{"mean", value->mean}};
    object[columns[i]]["sd"] = value->sd ? json(*value->sd) : json();
  }
  return object;
}

/// Verdicts of the seeds that both rows have, in equal order.
std::pair<std::vector<Verdicts>, std::vector<Verdicts>> common_seeds(
    const MeasuredRow& first, const std::vector<Verdicts>& of_first, const MeasuredRow& second,
    const std::vector<Verdicts>& of_second) {
  std::pair<std::vector<Verdicts>, std::vector<Verdicts>> common;
  for (std::size_t i = 0; i < first.seeds.size() && i < of_first.size(); ++i) {
    const auto found = std::find(second.seeds.begin(), second.seeds.end(), first.seeds[i]);
    const auto j = static_cast<std::size_t>(found - second.seeds.begin());
    if (j >= of_second.size()) continue;
    common.first.push_back(of_first[i]);
    common.second.push_back(of_second[j]);
  }
  return common;
}

json against(const MeasuredRow& row, const MeasuredRow& baseline) {
  json object = json::object();
  for (const auto& [checkpoint, columns] : row.verdicts) {
    const auto theirs = baseline.verdicts.find(checkpoint);
    if (theirs == baseline.verdicts.end()) continue;
    for (const auto& [column, verdicts] : columns) {
      const auto other = theirs->second.find(column);
      if (other == theirs->second.end()) continue;
      const auto [first, second] = common_seeds(row, verdicts, baseline, other->second);
      if (!first.empty()) object[checkpoint][column] = compare_seeds(first, second);
    }
  }
  return object;
}

std::vector<std::vector<std::int8_t>> differences(const std::vector<Verdicts>& first,
                                                  const std::vector<Verdicts>& second) {
  std::vector<std::vector<std::int8_t>> result;
  for (std::size_t s = 0; s < first.size(); ++s) {
    auto& row = result.emplace_back();
    for (std::size_t i = 0; i < first[s].size(); ++i)
      row.push_back(static_cast<std::int8_t>((first[s][i] != 0) - (second[s][i] != 0)));
  }
  return result;
}

/// An end of an interval; JSON has no infinity.
json bound(double value) {
  return std::isfinite(value) ? json(value) : json();
}

}  // namespace

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation_of(const std::vector<double>& values) {
  const double mean = mean_of(values);
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

LedgerVerdicts read_verdicts(const std::filesystem::path& path) {
  auto verdicts = eval::verdicts_of(eval::Ledger::open(path));
  return {.natural = std::move(verdicts.natural), .robust = std::move(verdicts.robust)};
}

json compare_seeds(const std::vector<Verdicts>& first, const std::vector<Verdicts>& second) {
  if (first.size() != second.size() || first.empty())
    throw OptionError(str("[reproduce] seeds: expected as many of one row as of the other, got ",
                          first.size(), " and ", second.size()));
  for (std::size_t s = 0; s < first.size(); ++s)
    if (first[s].size() != second[s].size() || first[s].empty())
      throw OptionError("[reproduce] images: expected the same test images for both rows");
  Values gains;
  for (std::size_t s = 0; s < first.size(); ++s)
    gains.push_back(percent(first[s]) - percent(second[s]));
  const auto pairs = static_cast<std::int64_t>(gains.size());
  json result = {{"pairs", pairs}, {"mean", mean_of(gains)}};
  if (pairs < 2) return result;
  const auto test = sign_flip(gains);
  const auto spread = crossed_bootstrap(differences(first, second)).expanded;
  const double sd = deviation_of(gains);
  result["sd"] = sd;
  result["p"] = test.p_value;
  result["interval"] = {bound(test.interval.low), bound(test.interval.high)};
  result["bootstrap"] = {100 * spread.low, 100 * spread.high};
  result["detectable"] = detectable_effect(sd, pairs);
  result["resolved"] = test.interval.low > 0 || test.interval.high < 0;
  return result;
}

json reproduction_rows(const std::vector<MeasuredRow>& rows, const std::string& judge) {
  json list = json::array();
  for (const auto& row : rows) {
    json object = {{"name", row.name},
                   {"paper", row.paper},
                   {"table", row.table},
                   {"data", row.data},
                   {"norm", row.norm},
                   {"defense", row.defense},
                   {"variant", row.variant},
                   {"baseline", row.baseline},
                   {"seeds", row.seeds},
                   {"failures", row.failures},
                   {"published", published_columns_of(row)}};
    object["measured"] = json::object();
    for (const auto& [checkpoint, columns] : row.verdicts)
      object["measured"][checkpoint] = measured_columns(columns, judge);
    const auto baseline = std::find_if(rows.begin(), rows.end(), [&](const MeasuredRow& other) {
      return other.name == row.baseline;
    });
    if (baseline != rows.end()) object["against"] = against(row, *baseline);
    list.push_back(std::move(object));
  }
  return list;
}

}  // namespace namid::report
