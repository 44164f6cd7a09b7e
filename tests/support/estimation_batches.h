// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/mi/objectives.h"
#include "support/mi_toy.h"

namespace namid::testing {

/// N samples of which every other one is selected, in float64.
inline mi::EstimationBatch batch_of(std::int64_t n) {
  mi::EstimationBatch batch;
  batch.x = 0.5 + 0.5 * wave({n, 3, 8, 8}, 0.013);
  batch.x_adv = (batch.x + 0.05 * wave({n, 3, 8, 8}, 1.9)).clamp(0, 1);
  batch.output_natural = batch.logits_natural = 3 * wave({n, 10}, 0.7);
  batch.output_adversarial = batch.logits_adversarial = 3 * wave({n, 10}, 1.1, 2);
  batch.y = batch.logits_natural.argmax(1);
  const auto top = batch.logits_adversarial.amax().item<double>() + 1;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto label = batch.y[i].item<std::int64_t>();
    batch.logits_adversarial[i][i % 2 ? label : (label + 1) % 10] = top;
  }
  return batch;
}
inline mi::EstimationBatch without_selected(mi::EstimationBatch batch) {
  batch.logits_adversarial = batch.logits_natural;
  return batch;
}

}  // namespace namid::testing
