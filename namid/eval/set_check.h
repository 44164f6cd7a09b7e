// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "namid/data/dataset.h"
#include "namid/eval/adversarial_set.h"
#include "namid/eval/verifier.h"
#include "namid/models/classifier.h"
#include "namid/run/stop_token.h"

namespace namid::eval {

/// What an adversarial set is checked against.
struct SetCheck {
  const models::Classifier& model;
  const data::Dataset& dataset;
  attacks::Budget budget;
  std::int64_t compute_batch = 1;
  bool cast = false;  ///< round float64 images to float32 instead of refusing them
  const run::StopToken* stop = nullptr;
  std::function<void(std::int64_t done, std::int64_t total)> progress = {};
};

/// One row of the set, re-checked.
struct CheckedRow {
  std::int64_t row = 0;    ///< in the file
  std::int64_t index = 0;  ///< sample id
  std::int64_t label = 0;  ///< in the file
  bool claimed = false;    ///< the file says success
  /// Why it is no adversarial example of that image, empty if it is one.
  std::string problem;
  bool image_known = false;             ///< the data set has the sample, and it stands here first
  std::optional<Verdict> verdict = {};  ///< nothing where there was nothing to measure
  bool broken = false;                  ///< the model is fooled, whatever target was claimed
  bool eight_bit = false;               ///< holds as an 8-bit image too
  bool holds() const { return problem.empty(); }
};

/// Re-checks every row, claimed or not, in padded batches of `compute_batch`: dtype and shape of
/// x_adv, index (a sample of the data set, once), label (the data set's), then the verifier against
/// the data set's image and label, then the target if there is one. OptionError for data that do
/// not fit the model.
std::vector<CheckedRow> check_set(const SetCheck& check, const AdversarialSet& set);

/// What became of a set's claims.
struct SetCounts {
  std::int64_t rows = 0, claimed = 0;
  std::int64_t confirmed = 0;      ///< claims that hold
  std::int64_t understated = 0;    ///< rows that hold though nothing was claimed
  std::int64_t eight_bit = 0;      ///< of the confirmed: hold as 8-bit images too
  std::int64_t images = 0;         ///< different images of the data set
  std::int64_t broken_images = 0;  ///< of these: that fool the model, claimed or not
  std::int64_t failed() const { return claimed - confirmed; }
};
SetCounts count_rows(const std::vector<CheckedRow>& rows);

/// Dataset::sha256 of the set's samples in its order, to compare with its data_sha256; empty if the
/// data set lacks one.
std::string data_sha256(const data::Dataset& dataset, const AdversarialSet& set);

/// {"row", "index", "label", "claimed", "holds", "problem"}, and where it was measured "linf",
/// "l2", "l1", "l0", of Wasserstein balls "wasserstein", "prediction", "margin", "eight_bit".
/// Numbers that are not finite are null.
nlohmann::json row_json(const CheckedRow& row);

}  // namespace namid::eval
