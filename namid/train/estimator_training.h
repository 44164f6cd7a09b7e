// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/optim/adam.h>

#include <optional>

#include "namid/train/estimator_scores.h"
#include "namid/train/trainable.h"

namespace namid::train {

/// Images that are scored after each epoch; none by default.
struct ScoredImages {
  const data::Dataset* images = nullptr;
  const run::StopToken* stop = nullptr;
};

/// Training of estimators on a frozen target (stage 2): an Adam optimiser (eps 1e-8) for the
/// natural pair of nets and, if there is one, for the adversarial. The released code has one for
/// each of the four nets and steps the natural ones before the adversarial forward; since no net
/// shares a parameter with another and Adam treats each entry by itself, the steps are the same.
class EstimatorTraining final : public Trainable {
 public:
  /// References must outlive the object; `target` stays frozen while it lives.
  EstimatorTraining(const models::Classifier& target, mi::EstimatorPair& estimators,
                    const attacks::PgdOptions& attack, const EstimateOptions& options,
                    const ScoredImages& validation = {});

  void begin_epoch(int epoch) override;
  Metrics step(const data::Batch& batch, const attacks::Context& context,
               const Position& position) override;
  EpochEnd end_epoch(const Position& position, const Metrics& means) override;
  run::Checkpoint state() const override;
  void load_state(const run::Checkpoint& checkpoint) override;

  const std::vector<std::string>& warnings() const { return warnings_; }
  /// Of the validation images; all of them.
  EstimatorScores score_validation() const;

 private:
  mi::EstimationBatch look(const data::Batch& batch, const attacks::Context& context,
                           const Position& position) const;

  const models::Classifier& target_;
  mi::EstimatorPair& estimators_;
  const attacks::PgdOptions& attack_;
  const EstimateOptions& options_;
  const ScoredImages validation_;
  const std::shared_ptr<void> frozen_;
  const TensorMap natural_, adversarial_;  ///< parameters by name
  torch::optim::Adam natural_optimizer_;
  std::optional<torch::optim::Adam> adversarial_optimizer_;
  std::vector<std::string> warnings_;
  double lr_ = 0;
};

}  // namespace namid::train
