// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/mi/estimator.h"
#include "train/workbench.h"

namespace namid::train {

/// A target with honest mistakes under attack, so that Eq. 6 selects some samples.
struct Estimate : ::testing::Test {
  Estimate() {
    at::set_num_threads(1);
    options.rules.objective = mi::EstimationObjective::separate;
    options.epochs = 3;
    options.batch_size = 16;
    options.units = 8;
    options.milestones = {3};
    options.checkpoint_every = 2;
    attack.budget.epsilon = 0.3;
  }
  ::namid::testing::TempFolder temp;
  run::RunFolder folder = run::RunFolder::create(temp.path(), "estimate", "test");
  data::Dataset training = testing::separable(70), validation;
  models::Classifier target = testing::small_model();
  attacks::PgdOptions attack = testing::small_attack();
  EstimateOptions options;
  run::StopToken stop;

  nlohmann::json run(bool resume = false, const run::StopToken* token = nullptr) {
    return estimate({.target = target,
                     .target_sha256 = "hash-of-target",
                     .training = training,
                     .validation = validation,
                     .attack = attack},
                    options, {folder, token ? token : &stop, resume, false});
  }
  /// Labels that the target gives itself, with BatchNorm statistics of these images: all right, so
  /// that Eq. 6 selects what the attack moves.
  void label_by_target(data::Dataset& set) const {
    const at::NoGradGuard no_grad;
    target.train();
    for (int i = 0; i < 40; ++i) target(training.images.to(at::kFloat) / 255);
    const auto frozen = target.frozen_eval();
    set.labels = target(set.images.to(at::kFloat) / 255).argmax(1);
  }
  std::string hash() const {
    const auto pair = mi::load_estimators(folder / "estimators.safetensors");
    return testing::weights_sha256(pair.natural.state_dict()) +
           testing::weights_sha256(pair.adversarial.state_dict());
  }
};

}  // namespace namid::train
