// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

#include "namid/attacks/pgd.h"
#include "namid/core/options.h"
#include "namid/data/dataset.h"
#include "namid/models/classifier.h"
#include "namid/run/run_folder.h"
#include "namid/run/stop_token.h"

namespace namid::eval {

/// How an evaluation is computed; what it computes is the attack's options.
struct EvaluateOptions {
  std::uint64_t seed = 0;
  int compute_batch = 250;
  int gallery = 12;
  double confidence = 0.95;
  static constexpr auto fields() {
    using T = EvaluateOptions;
    return std::tuple{
        field("seed", &T::seed, "seed of every draw"),
        field("compute_batch", &T::compute_batch,
              "images per forward pass; the last batch is padded to it", at_least(1)),
        field("gallery", &T::gallery, "adversarial images kept for the report", at_least(0)),
        field("confidence", &T::confidence, "level of the Clopper-Pearson intervals",
              between(0, 1))};
  }
};
NAMID_CHECK_FIELDS(EvaluateOptions);

/// Natural accuracy, then PGD on the samples that are classified correctly; every claimed success
/// is re-checked by the verifier. Writes ledger.sqlite (one row per sample and attack, one
/// transaction per batch) and gallery.safetensors into the folder. Returns the "result" of the run
/// record:
///   {"n", "natural": A, "robust": A,
///    "attacks": [{"name": "pgd-40", "robust": A, "refuted",
///                 "passes": {"forwards", "backwards"}, "seconds"}],
///    "per_class": [{"class", "n", "natural": A, "robust": A}]}
/// with A = {"correct", "accuracy", "lower", "upper", "confidence"} (Clopper-Pearson: sampling
/// error under this attack). A clean error counts as broken; "refuted" are claimed successes that
/// the verifier did not confirm; "class" is the class's name, classes without samples are left out.
/// An attack that ends in NumericError has the row {"name", "error"}, and "robust" is missing.
/// Draws belong to (seed, "test/pgd-40", sample id). Resuming skips what the ledger holds and gives
/// the result of a run never interrupted. OptionError for data that do not fit the model, for
/// probabilities instead of logits and for a model that mixes the samples of a batch; DataError for
/// a ledger of another model, data or options; NumericError for natural logits that are not finite.
nlohmann::json evaluate(const models::Classifier& model, const data::Dataset& dataset,
                        const attacks::PgdOptions& attack, const EvaluateOptions& options,
                        const run::RunFolder& folder, const run::StopToken* stop = nullptr,
                        bool resume = false, bool show_progress = true);

/// Natural accuracy and accuracy under `attack` as two numbers in [0,1], nothing written: for
/// validation during training. Predictions' most frequent share is returned for the collapse alarm.
struct QuickAccuracy {
  double natural = 0, robust = 0;
  double largest_class_share = 0;
};
QuickAccuracy quick_accuracy(const models::Classifier& model, const data::Dataset& dataset,
                             const attacks::PgdOptions& attack, std::uint64_t seed,
                             int compute_batch, const run::StopToken* stop = nullptr);

}  // namespace namid::eval
