// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/optim/adam.h>

#include "namid/attacks/pgd.h"
#include "namid/mi/objectives.h"
#include "namid/train/options.h"
#include "namid/train/trainable.h"

namespace namid::train {

/// A batch as the estimators see it: x_adv crafted on the target by `attack` (last iterate), and
/// the target's outputs on both, without gradient. The target should be frozen in eval mode.
mi::EstimationBatch estimation_batch(const models::Classifier& target, const data::Batch& batch,
                                     const attacks::PgdOptions& attack, models::Layer layer,
                                     const attacks::Context& context);

/// Training of an estimator pair on a frozen target (stage 2): two Adam optimisers (betas 0.9 and
/// 0.999, eps 1e-8), one for the natural pair of nets, one for the adversarial.
class EstimatorTraining final : public Trainable {
 public:
  /// References must outlive the object; `target` stays frozen while it lives.
  EstimatorTraining(const models::Classifier& target, mi::EstimatorPair& estimators,
                    const attacks::PgdOptions& attack, const EstimateOptions& options);

  void begin_epoch(int epoch) override;
  Metrics step(const data::Batch& batch, const attacks::Context& context,
               const Position& position) override;
  EpochEnd end_epoch(const Position& position, const Metrics& means) override;
  run::Checkpoint state() const override;
  void load_state(const run::Checkpoint& checkpoint) override;

  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  const models::Classifier& target_;
  mi::EstimatorPair& estimators_;
  const attacks::PgdOptions& attack_;
  const EstimateOptions& options_;
  const std::shared_ptr<void> frozen_;
  const TensorMap natural_, adversarial_;  ///< parameters by name
  torch::optim::Adam natural_optimizer_, adversarial_optimizer_;
  std::vector<std::string> warnings_;
  double lr_ = 0;
};

}  // namespace namid::train
