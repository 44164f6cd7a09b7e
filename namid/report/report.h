// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace namid::report {

/// Writes `<run>/report.html`, one self-contained page without scripts, from the run folder alone,
/// and returns its path. Works for train, estimate, evaluate and demo runs. DataError if the folder
/// is no run folder.
std::filesystem::path write_report(const std::filesystem::path& run);

enum class TableFormat { text, markdown, csv, json };

/// Runs side by side: name, defence, natural and robust accuracy with intervals, n, attack,
/// epsilon, seconds. Runs without accuracies show what they have.
std::string compare(const std::vector<std::filesystem::path>& runs, TableFormat format);

}  // namespace namid::report
