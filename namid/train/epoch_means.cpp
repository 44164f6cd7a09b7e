// SPDX-License-Identifier: Apache-2.0
#include "namid/train/epoch_means.h"

#include <limits>
#include <nlohmann/json.hpp>

namespace namid::train {

void EpochMeans::add(const Metrics& metrics, std::int64_t samples) {
  for (const auto& [name, value] : metrics) {
    auto& sum = sums_[name];
    sum.total += value * static_cast<double>(samples);
    sum.samples += static_cast<double>(samples);
  }
}

Metrics EpochMeans::means() const {
  Metrics means;
  for (const auto& [name, sum] : sums_) means[name] = sum.total / sum.samples;
  return means;
}

nlohmann::json EpochMeans::state() const {
  auto state = nlohmann::json::object();
  for (const auto& [name, sum] : sums_) state[name] = {sum.total, sum.samples};
  return state;
}

void EpochMeans::load_state(const nlohmann::json& state) {
  sums_.clear();
  for (const auto& [name, sum] : state.items())
    sums_[name] = {
        sum.at(0).is_null() ? std::numeric_limits<double>::quiet_NaN() : sum.at(0).get<double>(),
        sum.at(1).get<double>()};
}

}  // namespace namid::train
