// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "namid/attacks/pgd.h"
#include "namid/data/dataset.h"
#include "namid/mi/objectives.h"
#include "namid/train/options.h"

namespace namid::train {

/// A batch as the estimators see it: x_adv crafted on the target by `attack` (last iterate), and
/// the target's outputs on both, without gradient. The target should be frozen in eval mode.
mi::EstimationBatch estimation_batch(const models::Classifier& target, const data::Batch& batch,
                                     const attacks::PgdOptions& attack, models::Layer layer,
                                     const attacks::Context& context);

/// The same without an attack: everything adversarial is undefined (objective `natural`).
mi::EstimationBatch natural_batch(const models::Classifier& target, const data::Batch& batch,
                                  models::Layer layer);

/// Evaluation figures (released code: per batch, with NaN for an empty set): mean scores by name as
/// in mi::mean_scores over all images, over S (_selected) and over R (_right), each mean over the
/// images of its set, absent where there are none; the target's accuracies.
struct EstimatorScores {
  Metrics means;
  double natural_accuracy = 0, adversarial_accuracy = 0;
  std::int64_t images = 0, selected = 0, right = 0;  ///< those that were scored, S, R
};

struct ScoreRun {
  std::string stream;        ///< names the random draws: "<stream>-order", "<stream>"
  std::int64_t most = 2000;  ///< images that are scored; a batch more where a batch is larger
  const run::StopToken* stop = nullptr;
};

/// Scores nets, put into eval mode, over full batches of images drawn from `dataset` (of a set
/// smaller than a batch, over all of it).
EstimatorScores score_estimators(const models::Classifier& target, const mi::EstimatorPair& pair,
                                 const data::Dataset& dataset, const attacks::PgdOptions& attack,
                                 const EstimateOptions& options, const ScoreRun& run);

/// What is weak about estimators with these scores on their training data; empty: nothing.
std::vector<std::string> weaknesses(const Metrics& scores, mi::EstimationObjective objective);

}  // namespace namid::train
