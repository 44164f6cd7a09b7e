// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "namid/report/run_data.h"

namespace namid::report {

/// How the images were attacked, as far as it was recorded; empty fields were not.
struct AttackFacts {
  std::string name;  ///< "pgd-40"
  std::string norm;  ///< "linf"
  std::optional<double> epsilon;
  std::string steps, step_size, restarts, start, judge, loss;
};

/// Of an evaluation, or of what a demo's first evaluation says; of a training run, the attack it
/// trains and validates with.
AttackFacts attack_of(const RunData& run);

/// "8/255 (0.0314)" where `epsilon` is a whole number of 255ths, else the number.
std::string epsilon_text(double epsilon);

/// Which images an accuracy was measured on. chosen_test: test images that chose the weights.
enum class Source { none, validation, test, chosen_test };

/// One line of a comparison.
struct ResultRow {
  std::string run, defense, status;
  Source source = Source::none;
  std::optional<Accuracy> natural, robust;
  std::optional<Accuracy> certified = std::nullopt;  ///< a lower bound of the robust accuracy
  std::optional<double> n, seconds;
  AttackFacts attack;
};

/// A demo's defences, an evaluation's accuracies, or a training run's: from its evaluation if there
/// is one, otherwise the validation numbers. At least one row.
std::vector<ResultRow> result_rows(const RunData& run);

/// Evaluations among the run itself and its children, with the name of what they evaluate.
std::vector<std::pair<std::string, const RunData*>> evaluations_of(const RunData& run);

}  // namespace namid::report
