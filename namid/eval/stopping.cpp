// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/stopping.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::eval {
namespace {

std::string percent(const Interval& interval) {
  return str("[", fixed(100 * interval.low, 2), ", ", fixed(100 * interval.high, 2), "]");
}

nlohmann::json ends(const Interval& interval) {
  return {interval.low, interval.high};
}

}  // namespace

double parse_duration(const std::string& text) {
  double number = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  const double scale = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  if (error != std::errc() || scale == 0 || !(number > 0) || !std::isfinite(number))
    throw OptionError(
        str("[evaluate] budget: expected a time such as 90s, 10m or 2h, got '", text, "'"));
  return number * scale;
}

StoppingRule::StoppingRule(const StoppingOptions& options, std::int64_t population)
    : options_(options),
      population_(population),
      natural_(population, {.alpha = options.alpha}),
      robust_(population, {.alpha = options.alpha}) {
  if (!options.decide.empty()) claim_ = parse_claim(options.decide);
  if (!options.budget.empty())
    budget_ = std::chrono::duration<double>(parse_duration(options.budget));
}

bool StoppingRule::active() const {
  return claim_ || budget_ || options_.until_width > 0;
}

void StoppingRule::add(bool natural, bool robust) {
  natural_.add(natural);
  robust_.add(robust);
}

Decision StoppingRule::decision() const {
  return decide(*claim_, claim_->quantity == Quantity::natural ? natural_ : robust_);
}

std::string StoppingRule::reason() const {
  if (claim_ && decision() != Decision::open) return "decided";
  if (options_.until_width > 0 && robust_.within(options_.until_width)) return "narrow enough";
  if (robust_.draws() == population_) return "complete";
  if (budget_ && std::chrono::steady_clock::now() - start_ >= *budget_) return "out of time";
  return "";
}

bool StoppingRule::done() const {
  return !reason().empty();
}

nlohmann::json StoppingRule::to_json() const {
  const auto robust = robust_.interval();
  nlohmann::json json = {{"alpha", options_.alpha},
                         {"population", population_},
                         {"drawn", robust_.draws()},
                         {"reason", reason()},
                         {"natural", ends(natural_.interval())},
                         {"robust", ends(robust)}};
  std::string text;
  if (claim_) {
    json["claim"] = to_string(*claim_);
    json["answer"] = std::string(to_string(decision()));
    text = str(to_string(*claim_), ": ", to_string(decision()), ". ");
  }
  json["text"] = str(text, "After ", robust_.draws(), " of ", population_,
                     " images in random order, the robust accuracy on these ", population_,
                     " images is in ", percent(robust), " % at level ", 1 - options_.alpha,
                     ", whenever one stops (confidence sequence for sampling without "
                     "replacement; it says nothing of other images)");
  return json;
}

}  // namespace namid::eval
