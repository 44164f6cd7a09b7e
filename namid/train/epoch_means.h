// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "namid/run/metrics.h"

namespace namid::train {

/// Means of an epoch's metrics over its samples. A metric that only some batches report is averaged
/// over those.
class EpochMeans {
 public:
  void add(const Metrics& metrics, std::int64_t samples);
  Metrics means() const;

  /// Sums as numbers that read back exactly; a sum that is not finite is null and reads as NaN.
  nlohmann::json state() const;
  void load_state(const nlohmann::json& state);

 private:
  struct Sum {
    double total = 0;
    double samples = 0;
  };
  std::map<std::string, Sum> sums_;
};

}  // namespace namid::train
