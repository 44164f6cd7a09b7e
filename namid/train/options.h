// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "namid/core/options.h"
#include "namid/defenses/registry.h"
#include "namid/mi/objectives.h"

namespace namid::train {

/// Numerical profile. paper: the method as meant, made well-defined. reference: what the released
/// code computes; not available yet and refused.
enum class Profile { paper, reference };

/// Which weights `model.safetensors` holds at the end: the last epoch's, or those of the best
/// robust accuracy on the validation split.
enum class Select { last, validation };

/// Training of a classifier. Defaults are the paper's (ICML 2022, Sec. 4.1): SGD, momentum 0.9,
/// weight decay 2e-4, batch 1024, 100 epochs, learning rate 0.1, divided by 10 at epochs 75 and 90.
struct TrainOptions {
  defenses::Defense defense = defenses::Defense::standard;
  Profile profile = Profile::paper;
  std::uint64_t seed = 0;
  int epochs = 100;
  int batch_size = 1024;
  double lr = 0.1;
  double momentum = 0.9;
  double weight_decay = 2e-4;
  std::vector<int> milestones = {75, 90};
  double gamma = 0.1;
  double clip_grad = 5;
  int warmup_epochs = 0;
  double ema = 0;
  Select select = Select::last;
  int patience = 0;
  int validate_every = 1;
  int checkpoint_every = 0;
  std::string estimators;
  std::string init;
  bool allow_weak_estimator = false;
  bool allow_norm_mismatch = false;
  bool stop_on_collapse = true;
  static constexpr auto fields() {
    using T = TrainOptions;
    return std::tuple{
        field("defense", &T::defense, "training objective"),
        field("profile", &T::profile, "numerical profile"),
        field("seed", &T::seed, "seed of every draw"),
        field("epochs", &T::epochs, "passes over the training set", at_least(1)),
        field("batch_size", &T::batch_size, "training images per step", at_least(1)),
        field("lr", &T::lr, "SGD learning rate", above(0)),
        field("momentum", &T::momentum, "SGD momentum", between(0, 1)),
        field("weight_decay", &T::weight_decay, "SGD weight decay, on every parameter",
              at_least(0)),
        field("milestones", &T::milestones,
              "epochs (from 1) from which on the learning rate is multiplied by gamma",
              at_least(1)),
        field("gamma", &T::gamma, "factor at each milestone", above(0)),
        field("clip_grad", &T::clip_grad, "largest gradient norm; 0: no clipping", at_least(0)),
        field("warmup_epochs", &T::warmup_epochs, "epochs of natural training first", at_least(0)),
        field("ema", &T::ema, "decay of an exponential moving average of the weights; 0: none",
              between(0, 1)),
        field("select", &T::select, "weights kept as the result"),
        field("patience", &T::patience,
              "stop after this many validations without a better robust accuracy; 0: never",
              at_least(0)),
        field("validate_every", &T::validate_every, "epochs between validations", at_least(1)),
        field("checkpoint_every", &T::checkpoint_every,
              "steps between checkpoints, besides one at each epoch's end; 0: none", at_least(0)),
        field("estimators", &T::estimators, "estimator run or file (namid defence)"),
        field("init", &T::init, "model run or file to start from; empty: random weights"),
        field("allow_weak_estimator", &T::allow_weak_estimator,
              "use estimators whose mean score on their training data is negative"),
        field("allow_norm_mismatch", &T::allow_norm_mismatch,
              "use estimators trained for another norm"),
        field("stop_on_collapse", &T::stop_on_collapse,
              "stop when one class is predicted for nearly all of the validation images")};
  }
};
NAMID_CHECK_FIELDS(TrainOptions);

/// Training of the estimators on a frozen target (stage 2): Adam 1e-3, batch 256, 25 epochs, times
/// 0.1 from epochs 11 and 21, U 2048.
struct EstimateOptions {
  mi::EstimationObjective objective = mi::EstimationObjective::selected;
  Profile profile = Profile::paper;
  std::uint64_t seed = 0;
  int epochs = 25;
  int batch_size = 256;
  double lr = 1e-3;
  std::vector<int> milestones = {11, 21};
  double gamma = 0.1;
  int units = 2048;
  mi::SelectionRule selection = mi::SelectionRule::argmax;
  mi::DvMask dv_mask = mi::DvMask::exclude;
  int checkpoint_every = 0;
  static constexpr auto fields() {
    using T = EstimateOptions;
    return std::tuple{
        field("objective", &T::objective, "separate: Eq. 4; selected: Eq. 5"),
        field("profile", &T::profile, "numerical profile"),
        field("seed", &T::seed, "seed of every draw"),
        field("epochs", &T::epochs, "passes over the training set", at_least(1)),
        field("batch_size", &T::batch_size, "images per step; a last, smaller batch is dropped",
              at_least(2)),
        field("lr", &T::lr, "Adam learning rate", above(0)),
        field("milestones", &T::milestones,
              "epochs (from 1) from which on the learning rate is multiplied by gamma",
              at_least(1)),
        field("gamma", &T::gamma, "factor at each milestone", above(0)),
        field("units", &T::units, "U, width of local and global nets", at_least(1)),
        field("selection", &T::selection, "label rule of Eq. 6"),
        field("dv_mask", &T::dv_mask, "how a sample is kept out of its own negatives"),
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
template <>
struct EnumNames<train::Select> {
  static constexpr std::array kNames{"last", "validation"};
};
}  // namespace namid
