// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

namespace namid {

/// Named numbers of one step or epoch, e.g. {"loss", 1.2}, {"robust_accuracy", 0.45}.
using Metrics = std::map<std::string, double>;

namespace run {

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

  void write(const std::string& kind, std::int64_t step, double epoch, const Metrics& metrics);
  void flush();

 private:
  struct Sinks;
  std::unique_ptr<Sinks> sinks_;
};

}  // namespace run
}  // namespace namid
