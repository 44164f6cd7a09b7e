// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace namid {

/// Named numbers of one step or epoch, e.g. {"loss", 1.2}, {"robust_accuracy", 0.45}.
using Metrics = std::map<std::string, double>;

namespace run {

/// One line of metrics.jsonl.
struct MetricsRow {
  std::string kind;  ///< "step" or "epoch"
  std::int64_t step = 0;
  double epoch = 0;
  Metrics metrics = {};  ///< a number that is not finite was written as null and reads as NaN
};

/// The rows of a run's metrics.jsonl; none if it has no such file. A last line that a kill cut off
/// is passed over; DataError for any other line that is no row.
std::vector<MetricsRow> read_metrics(const std::filesystem::path& folder);

/// Writes each row to metrics.jsonl, metrics.csv (columns grow: rewritten when a new name comes)
/// and a TensorBoard event file of the run folder. A row: step, epoch, kind ("step", "epoch"),
/// numbers.
class MetricsWriter {
 public:
  /// Opens for appending. With `resume_step`, drops the rows after that step first, so that a
  /// resumed run repeats no row.
  explicit MetricsWriter(const std::filesystem::path& folder, std::int64_t resume_step = -1);
  ~MetricsWriter();
  MetricsWriter(MetricsWriter&&) noexcept;
  MetricsWriter& operator=(MetricsWriter&&) noexcept;

  /// Appends a row. Throws ResourceError if the disk fails, OptionError if a metric is called
  /// "kind", "step" or "epoch".
  void write(const std::string& kind, std::int64_t step, double epoch, const Metrics& metrics);
  /// Syncs the files to the disk; before a checkpoint refers to a step, its rows should be safe.
  void flush();

 private:
  struct Sinks;
  std::unique_ptr<Sinks> sinks_;
};

}  // namespace run
}  // namespace namid
