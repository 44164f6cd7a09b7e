// SPDX-License-Identifier: Apache-2.0
#include "namid/train/train.h"

#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/weights.h"
#include "namid/train/classifier_training.h"
#include "namid/train/loop.h"
#include "namid/train/profile.h"

namespace namid::train {
namespace {

void check(const models::Classifier& model, const data::Dataset& training,
           const data::Dataset& validation, const TrainOptions& options) {
  validate(options, "train");
  if (options.ema == 1)
    throw OptionError("[train] ema: expected in [0, 1), got 1: the average would never move");
  if (validation.size() == 0 && options.select == Select::validation)
    throw OptionError("[train] select: 'validation' needs held-out images: --validation N");
  if (validation.size() == 0 && options.select == Select::test)
    throw OptionError("[train] select: 'test' needs the test images in place of held-out ones");
  if (validation.size() == 0 && options.patience > 0)
    throw OptionError("[train] patience: needs held-out images: --validation N");
  if (training.size() > 0 && (training.shape() != model.info().input_shape ||
                              training.num_classes != model.info().num_classes))
    throw OptionError(str("[train] data set ", training.name,
                          " does not fit the model's input shape or class count"));
}

nlohmann::json make_result(const ClassifierTraining& work, const LoopResult& loop,
                           const models::Classifier& model, const TrainOptions& options) {
  const auto& validation = work.validation();
  const bool use_best = options.select != Select::last;
  return {{"epochs", loop.epochs},
          {"steps", loop.steps},
          {"seconds", loop.seconds},
          {"best_epoch",
           validation.best() ? nlohmann::json(validation.best()->epoch) : nlohmann::json()},
          {"selected_epoch", use_best ? validation.best()->epoch : loop.epochs},
          {"validated_on", validation.images() ? nlohmann::json(validation.images()) : nullptr},
          {"validation", to_json(use_best ? validation.best() : validation.last())},
          {"validation_best", to_json(validation.best())},
          {"validation_last", to_json(validation.last())},
          {"alarms", work.alarms().record()},
          {"stopped_early", loop.epochs < options.epochs},
          {"weights_sha256", models::weights_sha256(model.state_dict())},
          {"warnings", work.warnings()}};
}

}  // namespace

nlohmann::json train(models::Classifier& model, const data::Dataset& training,
                     const data::Dataset& validation, bool augment,
                     const defenses::Objective& objective, const attacks::PgdOptions& attack,
                     const TrainOptions& options, const Surroundings& surroundings,
                     const RefreshPlan* plan) {
  check(model, training, validation, options);
  check_profile(options, attack);
  std::optional<EstimatorRefresh> refresh;
  if (options.refresh_estimators > 0) {
    if (plan == nullptr || !plan->bind)
      throw OptionError("[train] refresh_estimators: only for a defence with estimators");
    refresh.emplace(*plan, options.refresh_estimators, training, augment, attack, surroundings);
  }
  ClassifierTraining work(model, validation, objective, attack, options, surroundings,
                          refresh ? &*refresh : nullptr);
  const LoopOptions loop_options{.stage = "train",
                                 .epochs = options.epochs,
                                 .batch_size = options.batch_size,
                                 .augment = augment,
                                 .seed = options.seed,
                                 .checkpoint_every = options.checkpoint_every,
                                 .device = model.device()};
  const auto loop = [&] {
    try {
      return run_epochs(work, training, loop_options, surroundings);
    } catch (const NumericError&) {
      surroundings.folder.update_record(
          {{"result", {{"alarms", work.alarms().record()}, {"warnings", work.warnings()}}}});
      throw;
    }
  }();
  work.select_weights();
  auto result = make_result(work, loop, model, options);
  if (refresh) result["refreshes"] = refresh->record();
  return result;
}

}  // namespace namid::train
