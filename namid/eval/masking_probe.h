// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "namid/attacks/attack.h"
#include "namid/eval/masking_checks.h"
#include "namid/eval/runner.h"

namespace namid::eval {

/// What a model's outputs are like, looked at without an attack.
struct OutputProbe {
  OutputRange range;
  Movement again;  ///< between passes of the same batch
  Movement alone;  ///< between the batch and each image among copies of itself
  bool random() const { return !(again.logits <= kMaskingMovedFail); }
  bool mixes_the_batch() const { return !random() && !(alone.logits <= kMaskingMovedFail); }
};

/// The first compute batch is passed `passes` ≥ 2 times, and its first `singles` images alone.
/// NumericError for logits that are not finite, OptionError for outputs that are not (N,
/// num_classes).
OutputProbe probe_outputs(const Bench& bench, int passes, int singles = 16);

/// Rows whose input gradient of the cross-entropy is 0 in every entry, at the image and at a random
/// point of the ball; one of a model that says nothing of its gradient counts too. Draws belong to
/// (seed, "masking/start", sample id).
std::int64_t count_zero_gradients(const Bench& bench, Rows rows, const attacks::Budget& budget);

}  // namespace namid::eval
