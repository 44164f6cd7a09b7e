// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "namid/core/claim.h"
#include "namid/core/options.h"
#include "namid/core/statistics.h"
#include "namid/eval/verdicts.h"

namespace namid::eval {

/// Whom a gate's interval speaks of.
enum class Population { distribution, data_set };

/// One question to a run and its answer: yes, no, or open, which is not shown and so not met.
struct GateCheck {
  std::string claim;  ///< "robust>=0.45", "drop<=0.01 against runs/evaluate/base-001"
  Decision answer = Decision::open;
  double value = 0;   ///< the share, or the drop, among the images seen
  Interval interval;  ///< holds at `level` on either side
  double level = 0.95;
  std::string method;  ///< "clopper-pearson", "confidence-sequence", "mcnemar",
                       ///< "paired-confidence-sequence"
  Population population = Population::distribution;
  std::int64_t images = 0;       ///< seen
  std::int64_t of = 0;           ///< in the data set that was evaluated
  std::optional<double> p = {};  ///< of "no difference", of drops alone
  PairedCounts discordant = {};  ///< of drops alone: only the baseline right, only the run right
  bool met() const { return answer == Decision::yes; }
};

struct GateOptions {
  double alpha = 0.05;
  static constexpr auto fields() {
    return std::tuple{field("alpha", &GateOptions::alpha,
                            "probability of a wrong answer to one question, on either side",
                            between(1e-9, 0.25))};
  }
};
NAMID_CHECK_FIELDS(GateOptions);

/// Whether the run shows the claim (core/claim.h; also of "certified", where the result has
/// certificates.accuracy). Number of images fixed beforehand: by the one-sided Clopper-Pearson
/// limits at level 1 - alpha, for yes and no each; the claim is about the distribution behind the
/// images. A stopping rule chose the number: by the confidence sequence that the rule watches
/// (core/confidence_sequence.h), looked at after every image in the order of the run, which the
/// seed gives; the claim is about the images of the data set. OptionError for a claim that cannot
/// be read, DataError where the run has no such accuracy.
GateCheck check_claim(const FinishedRun& run, std::string_view claim,
                      const GateOptions& options = {});

/// Whether the robust accuracy has dropped by at most `most` from the baseline's, paired by sample:
/// yes where the upper limit of the drop (baseline minus run) is at most `most`, no where the lower
/// one is above it. Both runs of a number of images fixed beforehand: limits at level 1 - alpha
/// each, from Clopper-Pearson limits of both discordant shares (mcnemar's unconditional interval),
/// about the distribution, with McNemar's exact p. A stopping rule in either: the confidence
/// sequence of core/paired_sequence.h at its last look, about the data set. DataError as
/// common_verdicts, and for other attacks.
GateCheck check_drop(const FinishedRun& run, const FinishedRun& baseline, double most,
                     const GateOptions& options = {});

/// "1%", "0.01" or "1/100" as a share in [0, 1]; OptionError.
double parse_drop(const std::string& text);

/// "robust>=0.45: yes. 463 of 1000 images (46.30 %), limits ..." in one sentence or two.
std::string to_text(const GateCheck& check);

/// {"claim", "answer": "yes" | "no" | "undecided", "met", "value", "interval", "level", "method",
///  "population": "distribution" | "data_set", "images", "of", "text"}, of drops also {"p",
///  "only_baseline", "only_run"}.
nlohmann::json to_json(const GateCheck& check);

}  // namespace namid::eval

namespace namid {
template <>
struct EnumNames<eval::Population> {
  static constexpr std::array kNames{"distribution", "data_set"};
};
}  // namespace namid
