// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/data/dataset.h"
#include "namid/models/classifier.h"

namespace namid::eval {

/// OptionError unless the data set has samples with unique ids, images of the model's input shape,
/// and labels below the model's class count.
void check_fit(const models::Classifier& model, const data::Dataset& dataset);

/// Looks at the logits of the first compute batch. OptionError if they are probabilities (rows
/// non-negative with sum 1 within 1e-4: attacks need logits), or if those of the first image move
/// by more than 1e-3 of their largest magnitude when its neighbours in the batch are replaced by
/// copies of it (a model exported in train mode), or if they move as far between two passes of the
/// same batch (a model that draws random numbers) and `verdict_draws` is 1.
void check_outputs(const models::Classifier& model, const data::Dataset& dataset,
                   std::int64_t compute_batch, int verdict_draws = 1);

}  // namespace namid::eval
