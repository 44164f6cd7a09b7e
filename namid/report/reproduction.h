// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "namid/report/text_table.h"

namespace namid::report {

/// Which images a model got right, in the order of their ids; nonzero: right.
using Verdicts = std::vector<std::uint8_t>;

/// Verdicts that an evaluation's ledger holds: natural ones, and robust ones (right and broken by
/// no attack of the suite). DataError for an unreadable ledger.
struct LedgerVerdicts {
  Verdicts natural, robust;
};
LedgerVerdicts read_verdicts(const std::filesystem::path& ledger);

/// Mean, and standard deviation with n − 1, of one or more values; the latter is NaN for one.
double mean_of(const std::vector<double>& values);
double deviation_of(const std::vector<double>& values);

/// One row of a reproduced table: a defence over several seeds.
struct MeasuredRow {
  std::string name;                                 ///< the recipe's
  std::string paper;                                ///< where the paper has it
  std::string table, data, norm, defense, variant;  ///< key of report::published_rows
  std::string baseline;                             ///< name of the row it is compared with, or ""
  std::vector<std::uint64_t> seeds;
  std::vector<std::string> failures;  ///< "seed 3: ...": runs that ended in an error
  /// checkpoint ("last", "best") → column → verdicts of each seed, all on the same images.
  std::map<std::string, std::map<std::string, std::vector<Verdicts>>> verdicts;
};

/// The difference in accuracy, first minus second, of two defences trained with the same seeds and
/// tested on the same images (percentage points):
///   {"pairs", "mean", "sd" (over seeds), "interval" and "p" (sign flips, core/paired_tests.h),
///    "bootstrap" (crossed over seeds and images, the expanded interval, core/bootstrap.h),
///    "detectable" (core/power.h: difference found with power 0.8 at level 0.05),
///    "resolved": whether the interval leaves out 0}.
/// Fewer than two pairs: only "pairs" and "mean". OptionError for unequal sizes.
nlohmann::json compare_seeds(const std::vector<Verdicts>& first,
                             const std::vector<Verdicts>& second);

/// The "rows" of the result of `namid reproduce`: for each row its names, seeds and failures,
/// "published" {column: {"mean", "sd"}}, "measured" {checkpoint: {column: {"mean", "sd",
/// "values"}}} with the further column "gap" (PGD-40 minus `judge`), and "against" {checkpoint:
/// {column: compare_seeds}} where the row has a baseline, over the seeds that both have. Percent.
nlohmann::json reproduction_rows(const std::vector<MeasuredRow>& rows, const std::string& judge);

/// Such rows as lines of a table: accuracies of each row, published and of each checkpoint;
/// differences to the baselines. Columns of a row's table in the paper that were not measured say
/// "not available".
TableLines accuracy_lines(const nlohmann::json& rows, const std::string& judge);
TableLines effect_lines(const nlohmann::json& rows);

/// What a person reads of such rows: published beside measured, then the differences, then what
/// failed. `format`: text or markdown.
std::string reproduction_table(const nlohmann::json& rows, const std::string& judge,
                               TableFormat format);

}  // namespace namid::report
