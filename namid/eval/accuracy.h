// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "namid/core/statistics.h"

namespace namid::eval {

/// {"correct", "accuracy", "lower", "upper", "confidence"} of `correct` out of `n` ≥ 1 samples:
/// Clopper-Pearson, the sampling error of drawing n samples from the population.
inline nlohmann::json accuracy_json(std::int64_t correct, std::int64_t n, double confidence) {
  const auto interval = clopper_pearson(correct, n, confidence);
  return {{"correct", correct},
          {"accuracy", static_cast<double>(correct) / static_cast<double>(n)},
          {"lower", interval.low},
          {"upper", interval.high},
          {"confidence", confidence}};
}

}  // namespace namid::eval
