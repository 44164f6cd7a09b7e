// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "namid/eval/gate.h"

namespace namid::report {

/// What `namid gate` found of one run.
struct GateReport {
  std::string run;
  std::vector<eval::GateCheck> checks;
  bool met() const;
};

/// One line a check, then whether the gate is passed.
std::string gate_text(const GateReport& report);

/// {"run", "met", "checks": [eval::to_json]}
nlohmann::json gate_json(const GateReport& report);

/// JUnit XML: a test suite named like the run, a test case per check, a <failure> with the numbers
/// where a check is not met (type "no" or "undecided"). Names are escaped.
std::string gate_junit(const GateReport& report);

/// A heading and a table in Markdown, for a CI's step summary. Names are escaped.
std::string gate_markdown(const GateReport& report);

}  // namespace namid::report
