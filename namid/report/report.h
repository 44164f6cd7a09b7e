// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "namid/core/options.h"

namespace namid::report {

/// Writes `<run>/report.html`, one self-contained page without scripts, from the run folder alone,
/// and returns its path; of an evaluation that ended also `<run>/model_card.json`
/// (model_card.h). Works for every kind of run. DataError if the folder is no run folder.
std::filesystem::path write_report(const std::filesystem::path& run);

enum class TableFormat { text, markdown, csv, json, latex, html };

/// Runs side by side: name, defence, natural and robust accuracy with intervals, n, attack,
/// epsilon, seconds. A demo gives one row per defence; a training run the numbers of its
/// evaluation, or those on validation images, labelled so. Runs without accuracies show what they
/// have. text, markdown: percentages for people; csv, json: fractions in [0,1] with all digits.
/// latex: the paper's form, defences by attacks, mean ± standard deviation over models
/// (paper_table.h); html: a self-contained page of all tables, without scripts. `paired`: tests of
/// every two evaluations besides (paired_runs.h): a second table of text, markdown, latex and html,
/// after an empty line of csv; json is then {"runs", "paired"}. DataError if a folder is no run
/// folder, its record holds impossible numbers, or evaluations are of different images.
std::string compare(const std::vector<std::filesystem::path>& runs, TableFormat format,
                    bool paired = false);

}  // namespace namid::report

namespace namid {
template <>
struct EnumNames<report::TableFormat> {
  static constexpr std::array kNames{"text", "markdown", "csv", "json", "latex", "html"};
};
}  // namespace namid
