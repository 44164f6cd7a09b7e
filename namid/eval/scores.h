// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "namid/attacks/pgd.h"
#include "namid/data/dataset.h"
#include "namid/mi/objectives.h"
#include "namid/models/classifier.h"

namespace namid::eval {

/// Mean DV scores (nats) of `model` under `estimators` over the full batches of `dataset`: the
/// numbers of mi::mean_scores averaged over batches of `batch_size` (the finite-batch bias moves
/// with it), and "selected" and "right", the shares of samples that Eq. 6 selects and that are
/// right on both images. Model and estimators in eval mode.
nlohmann::json score_report(const models::Classifier& model, const mi::EstimatorPair& estimators,
                            const data::Dataset& dataset, const attacks::PgdOptions& attack,
                            std::uint64_t seed, int batch_size);

}  // namespace namid::eval
