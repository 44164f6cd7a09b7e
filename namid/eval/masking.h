// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "namid/attacks/pgd.h"
#include "namid/core/options.h"
#include "namid/data/dataset.h"
#include "namid/models/classifier.h"
#include "namid/run/stop_token.h"

namespace namid::eval {

/// How much the masking checks look at.
struct MaskingOptions {
  std::int64_t images = 200;
  int queries = 500;
  int noise_draws = 50;
  int more_steps = 5;
  int passes = 5;
  int draws = 20;
  static constexpr auto fields() {
    using T = MaskingOptions;
    return std::tuple{
        field("images", &T::images, "the first this many test images are looked at",
              between(10, 1e6)),
        field("queries", &T::queries, "of the Square attack, the black box", at_least(2)),
        field("noise_draws", &T::noise_draws, "random points tried around each image", at_least(1)),
        field("more_steps", &T::more_steps, "times the attack's steps, to see whether they gain",
              at_least(2)),
        field("passes", &T::passes, "of one batch, to see whether the model draws random numbers",
              at_least(2)),
        field("draws", &T::draws,
              "averaged at each step and voting on each verdict where the model draws random "
              "numbers",
              at_least(2))};
  }
};
NAMID_CHECK_FIELDS(MaskingOptions);

/// Masking checks of one model; all referred to must outlive the call.
struct MaskingJob {
  const models::Classifier& model;
  const data::Dataset& dataset;
  attacks::PgdOptions attack = {};  ///< the white-box attack whose figure is in question
  MaskingOptions options = {};
  std::uint64_t seed = 0;
  int compute_batch = 100;
  const models::Classifier* surrogate = nullptr;  ///< none: the transfer check is skipped
  std::string surrogate_path = {};                ///< for the command line
  const run::StopToken* stop = nullptr;
  /// The command line that evaluates this model on these images with further flags.
  std::function<std::string(const std::string& flags)> command = {};
  /// Called before an attack and after each batch: its name, images done of all.
  std::function<void(const std::string& stage, std::int64_t done, std::int64_t total)> progress =
      {};
};

/// Runs the checks of masking_checks.h on the first images:
///   {"verdict", "images", "natural": A, "white_box": {"attack", "norm", "epsilon", "robust": A},
///    "checks": [{"name", "status", "measured": {...}, "threshold", "meaning", "run_next"}],
///    "broken_by": [{"attack", "broken", "accuracy_before", "accuracy_after", "gain_lower",
///                   "command"}], "seconds"}
/// with A as in evaluate.h. "verdict": pass, warn or fail; "run_next" is null where nothing is to
/// be done; "broken_by": attacks at the same epsilon that surely break more than the white-box
/// attack (98 % paired interval), the strongest first, accuracies over all images looked at.
///
/// What `evaluate` refuses is looked at all the same: probabilities are attacked as if they were
/// logits, and beside that by way of their logarithm; a model that draws random numbers is judged
/// by the majority of `draws` passes, and attacked by averages over as many (EOT); where images of
/// a batch mix, each is attacked alone besides. Every success is the verifier's. An attack that
/// fails (no differentiable path, NaN) breaks nothing and skips its check, saying why. OptionError
/// for options out of range, norms other than linf, l2 and l1, data that do not fit, and a model
/// that is right on no image; NumericError for natural outputs that are not finite.
nlohmann::json masking_report(const MaskingJob& job);

}  // namespace namid::eval
