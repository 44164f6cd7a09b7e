// SPDX-License-Identifier: Apache-2.0
#include "namid/run/metrics_csv.h"

#include <algorithm>
#include <cmath>

#include "namid/core/format.h"

namespace namid::run {
namespace {

std::string cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

}  // namespace

bool CsvColumns::add(const MetricsRow& row) {
  bool changed = std::exchange(empty_, false);
  for (const auto& [name, value] : row.metrics) {
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) continue;
    names_.push_back(name);
    changed = true;
  }
  return changed;
}

std::string CsvColumns::header() const {
  std::string out = "step,epoch,kind";
  for (const auto& name : names_) out += "," + cell(name);
  return out + "\n";
}

std::string CsvColumns::line(const MetricsRow& row) const {
  auto out = str(row.step, ",", row.epoch, ",", cell(row.kind));
  for (const auto& name : names_) {
    const auto found = row.metrics.find(name);
    out += ",";
    if (found != row.metrics.end())
      out += std::isfinite(found->second) ? shortest(found->second) : "nan";
  }
  return out + "\n";
}

}  // namespace namid::run
