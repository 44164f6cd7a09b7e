// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "namid/core/options.h"
#include "namid/defenses/registry.h"
#include "namid/mi/objectives.h"
#include "namid/train/alarms.h"
#include "namid/train/estimate_options.h"

namespace namid::train {

/// Which weights `model.safetensors` holds at the end: the last epoch's, those of the best
/// validation on the held-out split, or (test, as the released code does) those of the best test
/// accuracies: such test numbers are biased upwards, since the test images chose the weights.
enum class Select { last, validation, test };

/// Training of a classifier. Defaults are the paper's (ICML 2022, Sec. 4.1): SGD, momentum 0.9,
/// weight decay 2e-4, batch 1024, 100 epochs, learning rate 0.1, divided by 10 at epochs 75 and 90.
struct TrainOptions {
  defenses::Defense defense = defenses::Defense::standard;
  defenses::BnUpdates bn_updates = defenses::BnUpdates::once;
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
  int validation_steps = 0;
  int checkpoint_every = 0;
  std::string estimators;
  int refresh_estimators = 0;
  std::string init = "scratch";
  bool allow_weak_estimator = false;
  mi::EstimatorMismatch allow_estimator_mismatch = mi::EstimatorMismatch::none;
  AlarmOptions alarms = {};
  static constexpr auto fields() {
    using T = TrainOptions;
    return std::tuple{
        field("defense", &T::defense, "training objective"),
        field("bn_updates", &T::bn_updates,
              "updates of the BatchNorm statistics: once per image, or as often as the released "
              "code's forwards"),
        field("profile", &T::profile, "numerical profile; it changes other defaults"),
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
        field("select", &T::select,
              "weights kept as the result; test: chosen by the test images (leaks)"),
        field("patience", &T::patience,
              "stop after this many validations without a better robust accuracy; 0: never",
              at_least(0)),
        field("validate_every", &T::validate_every, "epochs between validations", at_least(1)),
        field("validation_steps", &T::validation_steps,
              "PGD steps of a validation; 0: those of the training attack", at_least(0)),
        field("checkpoint_every", &T::checkpoint_every,
              "steps between checkpoints, besides one at each epoch's end; 0: none", at_least(0)),
        field("estimators", &T::estimators,
              "estimator run or file, for the defences that need one"),
        field("refresh_estimators", &T::refresh_estimators,
              "retrain the estimators on the model every this many epochs ([estimate]); 0: frozen",
              at_least(0)),
        field(
            "init", &T::init,
            "scratch: random weights; target: the model that the estimators were trained on; else "
            "a model run or file"),
        field("allow_weak_estimator", &T::allow_weak_estimator,
              "use estimators whose mean score on their training data is negative"),
        field("allow_estimator_mismatch", &T::allow_estimator_mismatch,
              "what the estimators may have been trained for differently"),
        field("alarms", &T::alarms, "")};
  }
};
NAMID_CHECK_FIELDS(TrainOptions);

}  // namespace namid::train

namespace namid {
template <>
struct EnumNames<train::Select> {
  static constexpr std::array kNames{"last", "validation", "test"};
};
}  // namespace namid
