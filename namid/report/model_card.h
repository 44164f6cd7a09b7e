// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <tuple>

#include "namid/core/options.h"
#include "namid/report/run_data.h"

namespace namid::report {

/// Whether a model was trained with more than the training set.
enum class AdditionalData { unknown, no, yes };

}  // namespace namid::report

namespace namid {
template <>
struct EnumNames<report::AdditionalData> {
  static constexpr std::array kNames{"unknown", "no", "yes"};
};
}  // namespace namid

namespace namid::report {

/// What a run cannot know of the model it evaluated: `about.toml` in the run folder, if there.
struct AboutModel {
  std::string name, authors, venue, link, footnote;
  std::string reported;  ///< robust accuracy that the authors report, percent as text
  AdditionalData additional_data = AdditionalData::unknown;
  static constexpr auto fields() {
    using T = AboutModel;
    return std::tuple{
        field("name", &T::name, "title of the paper or name of the model"),
        field("authors", &T::authors, "who made it"),
        field("venue", &T::venue, "where it was published"),
        field("link", &T::link, "where to read about it"),
        field("footnote", &T::footnote, "what a reader of a table must know"),
        field("reported", &T::reported, "robust accuracy that its authors report, percent"),
        field("additional_data", &T::additional_data,
              "whether it was trained with more data than the training set")};
  }
};
NAMID_CHECK_FIELDS(AboutModel);

/// Whether the run is an evaluation that ended and has a robust accuracy.
bool has_model_card(const RunData& run);

/// The run as a model card: the keys of RobustBench's model_info files ("clean_acc",
/// "autoattack_acc", "eps", ... with their types: percentages as text of two decimals, null where
/// not known), and under "namid" what those leave out: counts and intervals, the bounds L and U,
/// every attack, hashes of weights, data, options and ledger, seed, environment and command.
/// "autoattack_acc" is there only for the whole suite `autoattack` of the current version on all
/// images given, without a stopping rule or sampled stages; "unreliable" is true if a masking check
/// of the run failed, null if none ran. OptionError for an `about.toml` that cannot be read.
nlohmann::json model_card(const RunData& run);

}  // namespace namid::report
