// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "namid/attacks/pgd.h"
#include "namid/data/dataset.h"
#include "namid/run/metrics.h"
#include "namid/run/stop_token.h"
#include "namid/train/guard.h"
#include "namid/train/options.h"

namespace namid::train {

/// Accuracies of one validation, in [0,1].
struct Validated {
  int epoch = 0;
  double natural = 0, robust = 0;
};
/// {"epoch", "natural_accuracy", "robust_accuracy"}; null if there is none.
nlohmann::json to_json(const std::optional<Validated>& validated);

/// A model whose predictions on at least 20 validation images are one class for 95 % of them has
/// collapsed, unless the labels themselves are that uneven (their largest class has 90 % or more).
bool has_collapsed(double largest_class_share, const at::Tensor& labels);

/// Validates a model from time to time, remembers the best, and says when to stop. Better: higher
/// robust accuracy; of equals, the one with higher natural accuracy.
class Validation {
 public:
  Validation(const data::Dataset& images, const attacks::PgdOptions& attack,
             const TrainOptions& options, const run::StopToken* stop);

  /// Every validate_every epochs and after the last one; never without images.
  bool is_due(int epoch) const;

  struct Verdict {
    Metrics metrics;       ///< validation_natural_accuracy, validation_robust_accuracy, ...
    bool is_best = false;  ///< better than all before
    bool stop = false;     ///< patience is over
  };
  /// NumericError for a collapse where options.stop_on_collapse, except at the first validation: a
  /// run that has hardly started may well predict one class. Interrupted leaves it unchanged.
  Verdict run(const models::Classifier& model, const Position& position,
              std::vector<std::string>& warnings);

  const std::optional<Validated>& last() const { return last_; }
  const std::optional<Validated>& best() const { return best_; }
  int collapses() const { return collapses_; }

  nlohmann::json state() const;
  void load_state(const nlohmann::json& state);

 private:
  void raise_alarm(const Position& position, double share, std::vector<std::string>& warnings);

  const data::Dataset& images_;
  const attacks::PgdOptions attack_;
  const TrainOptions& options_;
  const run::StopToken* stop_;
  std::optional<Validated> last_, best_;
  int since_best_ = 0;
  int collapses_ = 0;
};

}  // namespace namid::train
