// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "namid/core/paired_tests.h"
#include "namid/eval/masking.h"
#include "namid/eval/masking_probe.h"
#include "namid/eval/runner.h"
#include "namid/eval/suite.h"

namespace namid::eval {

/// An attack that is compared with the white-box attack, and what it broke.
struct MaskingTrial {
  std::string name;   ///< "square"
  std::string flags;  ///< of `namid evaluate`, that show it beside the white-box attack
  std::string role;   ///< "black_box"; what the checks ask for
  bool same_ball = true;
  std::vector<std::uint8_t> broken = {};  ///< per attacked row
  std::string error = {};                 ///< why it could not be run
  std::int64_t count() const;
};

/// Verified successes of all rounds of an attack, survivors packed into full batches; one per row.
std::vector<std::uint8_t> broken_rows(
    const Bench& bench, const AttackEntry& attack, Rows rows,
    const std::function<void(std::int64_t done, std::int64_t total)>& progress = {});

/// Radius of the ball around any image that holds the whole box: 1 (L∞), √d (L2), d (L1).
double whole_box(attacks::Norm norm, std::int64_t entries);

/// The attack as a member of a suite: "pgd(steps=40, start=none)".
std::string suite_word(const attacks::PgdOptions& attack);

/// Runs every attack of the checks on `rows`, the white-box attack first.
std::vector<MaskingTrial> run_trials(const MaskingJob& job, const Bench& bench,
                                     const OutputProbe& outputs, Rows rows);

}  // namespace namid::eval
