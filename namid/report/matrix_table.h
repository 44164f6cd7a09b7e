// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "namid/report/text_table.h"

namespace namid::report {

// The "matrix" of the result of `namid transfer` in the form of the paper's Tables 2, 5 and 6: a
// row per target, columns None, PGD-40, AA, ...; accuracies in percent over all images with their
// intervals; a target that is the surrogate itself is marked white-box:
//   {"attacks": [name], "budgets": [{"norm", "epsilon"}],
//    "cells": [{"surrogate", "target", "white_box", "run", "n", "natural": A,
//               "robust": {name: A}, "errors": {name: text}}]}      A: eval/evaluate.h

/// Header and rows; an attack that failed reads "failed".
TableLines matrix_lines(const nlohmann::json& matrix);

std::string matrix_text(const nlohmann::json& matrix);
std::string matrix_markdown(const nlohmann::json& matrix);
/// A tabular of \hline alone, no package needed.
std::string matrix_latex(const nlohmann::json& matrix);

}  // namespace namid::report
