// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "namid/attacks/pgd.h"
#include "namid/data/dataset.h"
#include "namid/eval/evaluate.h"
#include "namid/run/metrics.h"
#include "namid/run/stop_token.h"
#include "namid/train/options.h"

namespace namid::train {

/// Accuracies of one validation, in [0,1].
struct Validated {
  int epoch = 0;
  double natural = 0, robust = 0;
};
/// {"epoch", "natural_accuracy", "robust_accuracy"}; null if there is none.
nlohmann::json to_json(const std::optional<Validated>& validated);

/// Validates a model from time to time, remembers the best, and says when to stop. Better: higher
/// robust accuracy; of equals, the one with higher natural accuracy. With Select::test, as the
/// released code: a mean of natural and robust accuracy that is not lower.
class Validation {
 public:
  /// images: the held-out ones, or the test set with Select::test. Attacked as in training, with
  /// options.validation_steps.
  Validation(const data::Dataset& images, const attacks::PgdOptions& attack,
             const TrainOptions& options, const run::StopToken* stop);

  /// Every validate_every epochs and after the last one; never without images.
  bool is_due(int epoch) const;

  struct Verdict {
    Metrics metrics;       ///< <images>_natural_accuracy, ..._robust_accuracy, ...
    bool is_best = false;  ///< better than all before
    bool stop = false;     ///< patience is over
  };
  /// Measures and changes nothing; run::Interrupted where a stop was asked for.
  eval::QuickAccuracy measure(const models::Classifier& model) const;
  /// Remembers what was measured at the end of `epoch`.
  Verdict note(int epoch, const eval::QuickAccuracy& found);

  /// "validation" or "test": what was validated on; null if nothing was.
  const char* images() const;
  const std::optional<Validated>& last() const { return last_; }
  const std::optional<Validated>& best() const { return best_; }

  nlohmann::json state() const;
  void load_state(const nlohmann::json& state);

 private:
  const data::Dataset& images_;
  const attacks::PgdOptions attack_;
  const TrainOptions& options_;
  const run::StopToken* stop_;
  std::optional<Validated> last_, best_;
  int since_best_ = 0;
};

}  // namespace namid::train
