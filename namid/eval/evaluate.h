// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "namid/attacks/pgd.h"
#include "namid/core/options.h"
#include "namid/data/dataset.h"
#include "namid/eval/stopping.h"
#include "namid/eval/suite.h"
#include "namid/models/classifier.h"
#include "namid/run/run_folder.h"
#include "namid/run/stop_token.h"

namespace namid::eval {

/// In which order samples are processed. file: that of the data; random: a permutation by the seed,
/// which sequential decisions need.
enum class Order { file, random };

/// How an evaluation is computed; what it computes is the suite's options. Of these only seed,
/// compute_batch, fast and verdict_draws can move a verdict.
struct EvaluateOptions {
  std::uint64_t seed = 0;
  int compute_batch = 128;
  std::string max_memory = "";
  bool fast = false;
  int batch_size = 1024;
  Automatic<Order> order = {};
  std::string shard = "";
  std::string sample_stage = "";
  int verdict_draws = 1;
  int gallery = 12;
  double confidence = 0.95;
  StoppingOptions stopping = {};
  static constexpr auto fields() {
    using T = EvaluateOptions;
    return std::tuple{
        field("seed", &T::seed, "seed of every draw"),
        field("compute_batch", &T::compute_batch,
              "images per pass; every batch is padded to it, so that no verdict depends on "
              "neighbours",
              at_least(1)),
        field("max_memory", &T::max_memory,
              "choose a smaller compute batch that keeps within this, e.g. 2G; empty: no limit"),
        field("fast", &T::fast,
              "no padding, and rows that are done leave: the same draws, but rounding depends on "
              "neighbours"),
        field("batch_size", &T::batch_size,
              "images that go through a stage together, in pieces of compute_batch", at_least(1)),
        field("order", &T::order,
              "order of the images: file, random (by the seed); auto: random with a stopping rule"),
        field("shard", &T::shard, "i/n: evaluate only the i-th of n parts; merge their ledgers"),
        field("sample_stage", &T::sample_stage,
              "attacks that end the suite and the number of images left, drawn at random, that "
              "each is run on, e.g. 'fab-t=300,square=300': an interval for the full suite"),
        field(
            "verdict_draws", &T::verdict_draws,
            "passes that vote on each verdict, and as many that judge the worst images again, for "
            "models that draw random numbers",
            at_least(1)),
        field("gallery", &T::gallery, "adversarial images kept for the report", at_least(0)),
        field("confidence", &T::confidence, "level of the Clopper-Pearson intervals",
              between(0, 1)),
        field("stopping", &T::stopping, "")};
  }
};
NAMID_CHECK_FIELDS(EvaluateOptions);

/// Natural accuracy, then the suite on the samples that are classified correctly; every claimed
/// success is re-checked by the verifier. Writes ledger.sqlite (ledger.h) and gallery.safetensors
/// into the folder. Returns the "result" of the run record:
///   {"n", "suite", "combine", "natural": A, "robust": A, "headline": {"upper", "lower"},
///    "attacks": [{"name", "attacked", "broken", "robust": A, "refuted", "eight_bit",
///                 "passes": {"forwards", "backwards"}, "seconds"}],
///    "per_class": [{"class", "n", "natural": A, "robust": A}],
///    "sampled" (with sampled stages, sampled.h), "surrogate" (of transfer attacks, surrogate.h),
///    "rescue" (of attacks in bfloat16, rescue.h),
///    "drawn" (with verdict_draws > 1, drawn_verdicts.h),
///    "largest_norm", "compute_batch", "self_test" (null for a model that draws random numbers),
///    "decision" (with a stopping rule)}
/// with A = {"correct", "accuracy", "lower", "upper", "confidence"} (Clopper-Pearson: sampling
/// error under these attacks). "robust" of an attack: with `each` after it alone, with worst_case
/// after it and those before it. A clean error counts as broken; "refuted" are claimed successes
/// that the verifier did not confirm; "class" is the class's name, classes without samples are left
/// out. "headline": robust accuracy lies between lower (null without certificates) and upper. With
/// a stopping rule the intervals of "natural" and "robust" are those of the confidence sequence
/// ("interval" says so), about the images of this data set, and the other A have none.
/// An attack that ends in NumericError has the row {"name", "error"}; without any other "robust" is
/// missing. Draws belong to (seed, "test/<attack>", sample id, round). Resuming skips what the
/// ledger holds and gives the ledger of a run never interrupted. OptionError for data that do not
/// fit the model, for probabilities instead of logits, for a model that mixes the samples of a
/// batch or draws random numbers without verdict_draws; DataError for a ledger of another model,
/// data or options; NumericError for natural logits that are not finite.
nlohmann::json evaluate(const models::Classifier& model, const data::Dataset& dataset,
                        const Suite& suite, const EvaluateOptions& options,
                        const run::RunFolder& folder, const run::StopToken* stop = nullptr,
                        bool resume = false, bool show_progress = true);

/// The same with PGD alone.
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

namespace namid {
template <>
struct EnumNames<eval::Order> {
  static constexpr std::array kNames{"file", "random"};
};
}  // namespace namid
