// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "namid/core/options.h"
#include "namid/data/dataset.h"
#include "namid/models/classifier.h"

namespace namid::eval {

/// In what the images of an attack are made. bfloat16: forward and gradient of the attacked model
/// as models/bfloat16.h computes them. automatic: whichever is faster on this machine. Verdicts
/// (natural predictions, verifier) are float32 always.
enum class Precision { float32, bfloat16, automatic };

/// Milliseconds of a forward and an input gradient of one compute batch, medians.
struct PrecisionTimes {
  double float32_ms = 0, bfloat16_ms = 0;
};

/// What was decided, and what is known of it.
struct PrecisionTaken {
  Precision asked = Precision::float32;
  bool bfloat16 = false;
  std::optional<PrecisionTimes> times = {};  ///< of `automatic` alone
  /// Largest |z_bfloat16 − z_float32| of a logit of the first compute batch of natural images.
  double difference = 0;
  /// Survivors of a float32 margin below this are attacked again in float32 (rescue.h): 8 times the
  /// difference, rounded up to a power of two, so that the last digits of a machine's arithmetic do
  /// not decide. Two logits make a margin, which moves by up to twice the difference; 4 times that,
  /// because adversarial images may differ by more than natural ones.
  double near = 0;
};

/// What is decided about.
struct PrecisionBench {
  const models::Classifier& model;    ///< that the attacks see: the evaluated one, or a surrogate
  const models::Classifier& float32;  ///< the same as float32 attacks would see it (engine)
  const data::Dataset& dataset;
  std::int64_t compute_batch = 1;
};

/// Milliseconds that `pass` takes, which is done in that precision.
using Stopwatch = std::function<double(Precision, const std::function<void()>& pass)>;
double wall_clock(Precision, const std::function<void()>& pass);

/// The precision to take. automatic: one pass of each unmeasured, then five of each by turns; the
/// smaller median wins, float32 where they are equal. Both are measured on the images of the lowest
/// ids, padded to the compute batch, in eval mode. NumericError for logits that are not finite,
/// OptionError as models::in_bfloat16.
PrecisionTaken take_precision(Precision asked, const PrecisionBench& bench,
                              const Stopwatch& stopwatch = wall_clock);

/// `near` for a difference.
double near_boundary(double difference);

/// {"asked", "taken"}, with bfloat16 on trial "largest_difference" and "near", with auto
/// "float32_ms" and "bfloat16_ms"; and back, DataError for anything else.
nlohmann::json to_json(const PrecisionTaken& taken);
PrecisionTaken precision_taken(const nlohmann::json& record);

}  // namespace namid::eval

namespace namid {
template <>
struct EnumNames<eval::Precision> {
  static constexpr std::array kNames{"float32", "bfloat16", "auto"};
};
}  // namespace namid
