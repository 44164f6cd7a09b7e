// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/log.h"
#include "namid/train/epoch_means.h"
#include "namid/train/estimator_training.h"
#include "namid/train/loop.h"
#include "namid/train/train.h"

namespace namid::train {
namespace {

constexpr std::int64_t kScoredImages = 2000;

void check(const models::Classifier& target, const data::Dataset& training,
           const attacks::PgdOptions& attack, const EstimateOptions& options) {
  validate(options, "estimate");
  attacks::validate_budget(attack.budget, "attack");
  if (options.profile == Profile::reference)
    throw OptionError("[estimate] profile: 'reference' is not available yet; use 'paper'");
  if (training.size() > 0 && (training.shape() != target.info().input_shape ||
                              training.num_classes != target.info().num_classes))
    throw OptionError(str("[estimate] data set ", training.name,
                          " does not fit the target's input shape or class count"));
}

mi::EstimatorInfo estimator_info(const models::Classifier& target, const std::string& target_sha256,
                                 const data::Dataset& training, const attacks::Budget& budget,
                                 const EstimateOptions& options) {
  return {.units = options.units,
          .num_classes = target.info().num_classes,
          .input_shape = target.info().input_shape,
          .budget = budget,
          .objective = std::string(to_string(options.objective)),
          .data = training.name,
          .target_sha256 = target_sha256};
}

struct Scores {
  Metrics means;
  std::int64_t images = 0, selected = 0;
};

/// Adds a batch: means over all samples weigh by their number, those over the selected by theirs.
void add(EpochMeans& sums, Scores& scores, Metrics batch, std::int64_t size) {
  const auto selected = static_cast<std::int64_t>(batch.at("selected"));
  batch.erase("selected");
  Metrics of_selected;
  for (const auto& [name, value] : batch)
    if (name.ends_with("_selected")) of_selected.emplace(name, value);
  for (const auto& [name, value] : of_selected) batch.erase(name);
  sums.add(batch, size);
  sums.add(of_selected, selected);
  scores.images += size;
  scores.selected += selected;
}

/// Mean scores over full batches of at most kScoredImages training images, nets in eval mode.
Scores final_scores(const models::Classifier& target, const mi::EstimatorPair& pair,
                    const data::Dataset& training, const attacks::PgdOptions& attack,
                    const EstimateOptions& options) {
  pair.natural.train(false);
  pair.adversarial.train(false);
  const auto frozen = target.frozen_eval();
  const auto order = Random(options.seed, "estimate/score-order").permutation(training.size(), 0);
  const auto size = std::min<std::int64_t>(options.batch_size, training.size());
  const auto batches = std::max<std::int64_t>(1, std::min(training.size(), kScoredImages) / size);
  EpochMeans sums;
  Scores scores;
  for (std::int64_t i = 0; i < batches; ++i) {
    const auto rows = std::span(order).subspan(i * size, size);
    const auto batch = data::make_batch(training, rows, target.device());
    attacks::Context context{.random = Random(options.seed, "estimate/score")};
    context.ids = batch.ids;
    const auto seen = estimation_batch(target, batch, attack, pair.info.layer, context);
    add(sums, scores, mi::mean_scores(pair, seen, options.selection, options.dv_mask), size);
  }
  scores.means = sums.means();
  return scores;
}

/// The score that the objective raised, on its own kind of samples; NaN if none was selected.
double trained_score(const Metrics& scores, const std::string& name,
                     mi::EstimationObjective objective) {
  const bool selected = objective == mi::EstimationObjective::selected;
  const auto entry = scores.find(selected ? name + "_selected" : name);
  return entry == scores.end() ? std::numeric_limits<double>::quiet_NaN() : entry->second;
}

std::vector<std::string> weaknesses(const Metrics& scores, mi::EstimationObjective objective) {
  std::vector<std::string> found;
  for (const std::string side : {"natural", "adversarial"}) {
    const double score = trained_score(scores, side + "_on_" + side, objective);
    if (score >= 0) continue;
    found.push_back(std::isnan(score)
                        ? str("weak: no training sample was selected (Eq. 6) to score the ", side,
                              " estimator on")
                        : str("weak: the ", side,
                              " estimator's mean score on its training data is ", fixed(score, 3),
                              " nats, below 0"));
    log_warning(found.back());
  }
  return found;
}

}  // namespace

nlohmann::json estimate(const models::Classifier& target, const std::string& target_sha256,
                        const data::Dataset& training, bool augment,
                        const attacks::PgdOptions& attack, const EstimateOptions& options,
                        const Surroundings& surroundings) {
  check(target, training, attack, options);
  auto pair = mi::make_estimators(
      estimator_info(target, target_sha256, training, attack.budget, options), options.seed);
  pair.natural.to(target.device());
  pair.adversarial.to(target.device());
  EstimatorTraining work(target, pair, attack, options);
  const LoopOptions loop_options{.stage = "estimate",
                                 .epochs = options.epochs,
                                 .batch_size = options.batch_size,
                                 .drop_last = true,
                                 .augment = augment,
                                 .seed = options.seed,
                                 .checkpoint_every = options.checkpoint_every,
                                 .device = target.device()};
  const auto loop = run_epochs(work, training, loop_options, surroundings);
  const auto scores = final_scores(target, pair, training, attack, options);
  mi::save_estimators(surroundings.folder / "estimators.safetensors", pair);
  auto warnings = work.warnings();
  const auto weak = weaknesses(scores.means, options.objective);
  warnings.insert(warnings.end(), weak.begin(), weak.end());
  return {{"epochs", loop.epochs},          {"steps", loop.steps},
          {"seconds", loop.seconds},        {"scores", scores.means},
          {"scored_images", scores.images}, {"selected_images", scores.selected},
          {"weak", !weak.empty()},          {"warnings", warnings}};
}

}  // namespace namid::train
