// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "namid/run/metrics.h"

namespace namid::report {

/// One line of metrics.jsonl; numbers that were not finite are NaN.
struct MetricRow {
  std::string kind;
  double step = 0, epoch = 0;
  Metrics values;
};

/// What a report reads of a run folder.
struct RunData {
  std::filesystem::path path;
  nlohmann::json record;  ///< run.json, an object
  std::string config;     ///< config.toml; empty if there is none
  std::vector<MetricRow> metrics;
  int unreadable_rows = 0;        ///< lines of metrics.jsonl that are no JSON object
  std::vector<RunData> children;  ///< run folders directly inside, in the order they were started

  std::string name() const;
  const RunData* child(std::string_view name) const;  ///< null if there is none
};

/// Reads a run folder and the runs in it; DataError if it has no readable run.json.
RunData load_run(const std::filesystem::path& path);

/// The member at a path such as "result/natural/lower"; null if there is none.
const nlohmann::json* find_member(const nlohmann::json& document, std::string_view path);

/// The member as text: strings as they are, numbers and booleans spelled out; otherwise empty.
std::string text_at(const nlohmann::json& document, std::string_view path);

/// A finite number; nothing if it is absent or of another type.
std::optional<double> number_at(const nlohmann::json& document, std::string_view path);

/// A resolved option, "attack/steps", as text; empty if it was not recorded.
std::string option_of(const RunData& run, std::string_view path);

/// A measured fraction of right answers.
struct Accuracy {
  double value = 0;
  std::optional<std::pair<double, double>> bounds = std::nullopt;
  double confidence = 0;               ///< of the bounds
  std::optional<double> correct = {};  ///< count
};

/// The accuracy object or plain number at `path` of the record; nothing if it is absent. DataError
/// names file and member if a value is no fraction, or the interval does not hold it.
std::optional<Accuracy> accuracy_at(const RunData& run, std::string_view path);

}  // namespace namid::report
