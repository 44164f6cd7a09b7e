// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/drawn_verdicts.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "namid/core/distributions.h"

namespace namid::eval {
namespace {

constexpr double kBeyondDoubt = 0.001;

nlohmann::json figures(const std::map<std::uint64_t, Drawn>& images, std::int64_t draws) {
  double shares = 0, squares = 0;
  std::int64_t voted = 0, always = 0, ever = 0;
  for (const auto& [sample, drawn] : images) {
    const double share = static_cast<double>(drawn.right) / static_cast<double>(draws);
    shares += share;
    squares += share * share;
    voted += drawn.voted;
    always += drawn.right == draws;
    ever += drawn.right > 0;
  }
  const auto n = static_cast<double>(images.size());
  const double mean = shares / n;
  return {{"expected", mean},
          {"standard_error", std::sqrt(std::max(0.0, squares / n - mean * mean) / n)},
          {"voted", static_cast<double>(voted) / n},
          {"always", static_cast<double>(always) / n},
          {"ever", static_cast<double>(ever) / n}};
}

}  // namespace

bool told_apart(std::int64_t most, std::int64_t next) {
  return 2 * binomial_cdf(next, most + next, 0.5) <= kBeyondDoubt;
}

Drawn drawn_of(const Reading& first, const Reading& further, std::int64_t label) {
  return {
      .selection = first.votes.right,
      .right = further.votes.right,
      .voted = further.prediction == label && told_apart(further.votes.most, further.votes.next)};
}

DrawnVerdicts::DrawnVerdicts(const std::vector<SampleRow>& samples) {
  for (const auto& sample : samples)
    if (sample.drawn) natural_[sample.sample] = *sample.drawn;
  worst_ = natural_;
  complete_ = !samples.empty() && natural_.size() == samples.size();
}

void DrawnVerdicts::add(const std::vector<AttemptRow>& attempts) {
  for (const auto& attempt : attempts) {
    const auto held = worst_.find(attempt.sample);
    if (attempt.drawn && held != worst_.end() && attempt.drawn->selection < held->second.selection)
      held->second = *attempt.drawn;
  }
}

nlohmann::json DrawnVerdicts::to_json(std::int64_t draws, bool attacked) const {
  nlohmann::json out = {{"draws", draws}, {"natural", figures(natural_, draws)}};
  if (attacked) out["robust"] = figures(worst_, draws);
  return out;
}

}  // namespace namid::eval
