// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

#include "namid/data/dataset.h"
#include "namid/models/classifier.h"

namespace namid::eval {

/// What the start-up test of a compute batch found.
struct SelfTest {
  bool slots_equal = false;       ///< one image in every slot: bit-equal logits and input gradients
  bool neighbours_equal = false;  ///< images among other neighbours and in other slots: the same
  bool repeats_equal = false;     ///< the same batch twice: the same
  double largest_difference = 0;  ///< of a logit or gradient entry, over all comparisons
  bool passed() const { return slots_equal && neighbours_equal && repeats_equal; }
};

/// Whether a sample's logits and input gradients (of the cross-entropy at its label) in a batch of
/// `compute_batch` rows depend on its slot or on the other rows, to the bit. Three batches of
/// forward and backward passes. Where it passes, verdicts depend on the sample and the seed alone.
SelfTest self_test(const models::Classifier& model, const data::Dataset& dataset,
                   std::int64_t compute_batch);

/// What holds of two classifiers.
SelfTest both(const SelfTest& a, const SelfTest& b);

nlohmann::json to_json(const SelfTest& test);

}  // namespace namid::eval
