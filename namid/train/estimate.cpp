// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/log.h"
#include "namid/train/estimator_training.h"
#include "namid/train/loop.h"
#include "namid/train/profile.h"
#include "namid/train/train.h"

namespace namid::train {
namespace {

using mi::EstimationObjective;

void check_fit(const models::Classifier& target, const data::Dataset& set) {
  if (set.size() > 0 &&
      (set.shape() != target.info().input_shape || set.num_classes != target.info().num_classes))
    throw OptionError(str("[estimate] data set ", set.name,
                          " does not fit the target's input shape or class count"));
}

mi::EstimatorInfo estimator_info(const EstimateTask& task, const EstimateOptions& options) {
  const auto& target = task.target;
  return {.layer = options.layer,
          .units = options.units,
          .num_classes = target.info().num_classes,
          .input_shape = target.info().input_shape,
          .budget = task.attack.budget,
          .objective = std::string(to_string(options.rules.objective)),
          .data = task.training.name,
          .target_sha256 = task.target_sha256,
          .layer_channels = mi::layer_channels(target, options.layer)};
}

nlohmann::json to_json(const EstimatorScores& scores) {
  return {{"scores", scores.means},
          {"scored_images", scores.images},
          {"selected_images", scores.selected},
          {"right_images", scores.right},
          {"natural_accuracy", scores.natural_accuracy},
          {"adversarial_accuracy", scores.adversarial_accuracy}};
}

}  // namespace

nlohmann::json estimate(const EstimateTask& task, const EstimateOptions& options,
                        const Surroundings& surroundings) {
  validate(options, "estimate");
  attacks::validate_budget(task.attack.budget, "attack");
  check_profile(options, task.attack);
  check_fit(task.target, task.training);
  check_fit(task.target, task.validation);
  auto pair = mi::make_estimators(estimator_info(task, options), options.seed);
  for (const auto* estimator : {&pair.natural, &pair.adversarial})
    if (estimator->defined()) estimator->to(task.target.device());
  EstimatorTraining work(task.target, pair, task.attack, options,
                         {&task.validation, surroundings.stop});
  const LoopOptions loop_options{.stage = "estimate",
                                 .epochs = options.epochs,
                                 .batch_size = options.batch_size,
                                 .drop_last = options.mi_partial_batch == mi::PartialBatch::drop,
                                 .augment = task.augment,
                                 .seed = options.seed,
                                 .checkpoint_every = options.checkpoint_every,
                                 .device = task.target.device()};
  const auto loop = run_epochs(work, task.training, loop_options, surroundings);
  const auto scores = score_estimators(task.target, pair, task.training, task.attack, options,
                                       {.stream = "estimate/score"});
  const auto weak = weaknesses(scores.means, options.rules.objective);
  for (const auto& text : weak) log_warning(text);
  pair.info.weak = !weak.empty();
  mi::save_estimators(surroundings.folder / "estimators.safetensors", pair);
  auto warnings = work.warnings();
  warnings.insert(warnings.end(), weak.begin(), weak.end());
  nlohmann::json result = to_json(scores);
  result.update({{"epochs", loop.epochs},
                 {"steps", loop.steps},
                 {"seconds", loop.seconds},
                 {"weak", pair.info.weak},
                 {"warnings", warnings}});
  if (task.validation.size() > 1) result["validation"] = to_json(work.score_validation());
  return result;
}

}  // namespace namid::train
