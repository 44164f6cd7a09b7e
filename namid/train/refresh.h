// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "namid/attacks/pgd.h"
#include "namid/data/dataset.h"
#include "namid/defenses/objective.h"
#include "namid/mi/estimator.h"
#include "namid/train/options.h"
#include "namid/train/surroundings.h"

namespace namid::train {

/// How estimators are retrained while the classifier learns (TrainOptions::refresh_estimators).
struct RefreshPlan {
  EstimateOptions estimate = {};
  int after = 0;  ///< epochs without MI terms at the start: no refresh before or in them
  /// The objective with another pair, which lies on the model's device.
  std::function<defenses::Objective(const mi::EstimatorPair&)> bind = {};
};

/// Before epoch e of those with (e − 1) mod every = 0, e > after and e > 1.
bool refresh_is_due(int epoch, int every, int after);

/// Seed of the draws of the refresh before `epoch`; streams of different epochs are independent.
std::uint64_t refresh_seed(std::uint64_t seed, int epoch);

/// Fresh estimators every K epochs: `train::estimate` on the current model, frozen in eval mode,
/// with the training's images and attack, the plan's options and refresh_seed(plan.estimate.seed,
/// e), in the folder refresh/epoch-<e>-001 of the run. The pair is the one that `namid estimate`
/// would give for these weights. Its training has checkpoints of its own: an interrupted refresh
/// goes on where it was, and the run ends as if it had not been interrupted. The nets of the last
/// three refreshes are kept (two checkpoints refer to them).
class EstimatorRefresh {
 public:
  /// References must outlive the object.
  EstimatorRefresh(const RefreshPlan& plan, int every, const data::Dataset& training, bool augment,
                   const attacks::PgdOptions& attack, const Surroundings& surroundings);

  /// Retrains if it is due and was not done for this epoch. run::Interrupted changes nothing.
  void begin_epoch(int epoch, const models::Classifier& model);

  /// Bound to the newest pair; null before the first refresh.
  const defenses::Objective* objective() const { return objective_ ? &*objective_ : nullptr; }
  /// refresh_seconds of that epoch, 0 where there was none.
  double seconds(int epoch) const;
  /// One per refresh: {"epoch", "run", "steps", "seconds", "scores", "weak"}.
  const nlohmann::json& record() const { return record_; }
  /// What the estimations warned of, since this was last asked.
  std::vector<std::string> take_warnings() { return std::exchange(warnings_, {}); }

  nlohmann::json state() const { return record_; }
  /// DataError if the nets of the last refresh are not there.
  void load_state(const nlohmann::json& state, const models::Classifier& model);

 private:
  std::filesystem::path folder_of(int epoch) const;
  nlohmann::json retrain(int epoch, const models::Classifier& model);
  void use(const std::filesystem::path& folder, const models::Classifier& model);
  void drop_old_nets() const;

  const RefreshPlan& plan_;
  const int every_;
  const data::Dataset& training_;
  const bool augment_;
  const attacks::PgdOptions& attack_;
  const Surroundings& surroundings_;
  std::optional<defenses::Objective> objective_;
  nlohmann::json record_ = nlohmann::json::array();
  std::vector<std::string> warnings_;
};

}  // namespace namid::train
