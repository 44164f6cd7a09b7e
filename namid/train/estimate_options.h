// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "namid/core/options.h"
#include "namid/mi/objectives.h"
#include "namid/models/classifier.h"

namespace namid::train {

/// Numerical profile, of both stages. paper: the method as meant, made well-defined. reference:
/// what the released code computes; it changes the defaults of other options (profile.h).
enum class Profile { paper, reference };

/// Training of the estimators on a frozen target (stage 2): Adam 1e-3, batch 256, 25 epochs, times
/// 0.1 from epochs 11 and 21, U 2048. With Profile::reference the defaults are those of profile.h.
struct EstimateOptions {
  mi::EstimationRules rules = {};
  Profile profile = Profile::paper;
  models::Layer layer = models::Layer::logits;
  std::uint64_t seed = 0;
  int epochs = 25;
  int batch_size = 256;
  mi::PartialBatch mi_partial_batch = mi::PartialBatch::drop;
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double weight_decay = 0;
  std::vector<int> milestones = {11, 21};
  double gamma = 0.1;
  int units = 2048;
  int checkpoint_every = 0;
  static constexpr auto fields() {
    using T = EstimateOptions;
    return std::tuple{
        field("rules", &T::rules, ""),
        field("profile", &T::profile, "numerical profile; it changes other defaults"),
        field("layer", &T::layer, "target's tensor that the global nets read"),
        field("seed", &T::seed, "seed of every draw"),
        field("epochs", &T::epochs, "passes over the training set", at_least(1)),
        field("batch_size", &T::batch_size, "images per step", at_least(2)),
        field("mi_partial_batch", &T::mi_partial_batch, "an epoch's last, smaller batch"),
        field("lr", &T::lr, "Adam learning rate", above(0)),
        field("beta1", &T::beta1, "Adam: decay of the mean gradient", between(0, 1)),
        field("beta2", &T::beta2, "Adam: decay of the mean squared gradient", between(0, 1)),
        field("weight_decay", &T::weight_decay, "Adam: L2 weight decay", at_least(0)),
        field("milestones", &T::milestones,
              "epochs (from 1) from which on the learning rate is multiplied by gamma",
              at_least(1)),
        field("gamma", &T::gamma, "factor at each milestone", above(0)),
        field("units", &T::units, "U, width of local and global nets", at_least(1)),
        field("checkpoint_every", &T::checkpoint_every,
              "steps between checkpoints, besides one at each epoch's end; 0: none", at_least(0))};
  }
};
NAMID_CHECK_FIELDS(EstimateOptions);

}  // namespace namid::train

namespace namid {
template <>
struct EnumNames<train::Profile> {
  static constexpr std::array kNames{"paper", "reference"};
};
}  // namespace namid
