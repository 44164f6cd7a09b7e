// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "namid/core/claim.h"
#include "namid/core/confidence_sequence.h"
#include "namid/core/options.h"

namespace namid::eval {

/// When an evaluation may stop before the last sample. Samples are then processed in seeded random
/// order, and intervals are those of a confidence sequence, which holds under any such rule.
struct StoppingOptions {
  std::string decide = "";
  double alpha = 0.05;
  double until_width = 0;
  std::string budget = "";
  static constexpr auto fields() {
    using T = StoppingOptions;
    return std::tuple{
        field("decide", &T::decide, "stop once this is shown or refuted, e.g. 'robust>=0.45'"),
        field("alpha", &T::alpha, "error level of the confidence sequence", between(0, 1)),
        field("until_width", &T::until_width,
              "stop once the interval of the robust accuracy is at most this wide; 0: never",
              between(0, 1)),
        field("budget", &T::budget, "stop after this time, e.g. 90s, 10m, 2h; empty: never")};
  }
};
NAMID_CHECK_FIELDS(StoppingOptions);

/// Watches verdicts come in, in random order and without replacement, from the `population` samples
/// of the data set that is evaluated: that set, not the distribution behind it, is what intervals
/// and decisions speak of.
class StoppingRule {
 public:
  /// OptionError for a claim, an alpha or a time that cannot be read.
  StoppingRule(const StoppingOptions& options, std::int64_t population);

  /// False where no option asks for one: every sample is evaluated.
  bool active() const;
  void add(bool natural, bool robust);
  /// Decided, narrow enough, or out of time.
  bool done() const;
  /// {"claim", "answer": "yes" | "no" | "not yet", "alpha", "population", "drawn", "reason",
  ///  "natural": [low, high], "robust": [low, high], "text"}
  nlohmann::json to_json() const;

 private:
  std::string reason() const;
  Decision decision() const;

  StoppingOptions options_;
  std::int64_t population_;
  std::optional<Claim> claim_;
  std::optional<std::chrono::duration<double>> budget_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  ConfidenceSequence natural_, robust_;
};

/// Seconds of "90s", "10m", "2h", "1.5h" or a plain number of seconds; OptionError for anything
/// else.
double parse_duration(const std::string& text);

}  // namespace namid::eval
