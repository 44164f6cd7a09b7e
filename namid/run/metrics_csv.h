// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "namid/run/metrics.h"

namespace namid::run {

/// The columns of metrics.csv: step, epoch, kind, then the metrics' names in order of appearance.
/// A name that a row lacks is an empty cell, a number that is not finite is "nan".
class CsvColumns {
 public:
  /// Adds the row's new names; true if the header has changed (the first row adds the header).
  bool add(const MetricsRow& row);
  std::string header() const;
  std::string line(const MetricsRow& row) const;

 private:
  std::vector<std::string> names_;
  bool empty_ = true;
};

}  // namespace namid::run
