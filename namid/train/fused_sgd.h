// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/optim/sgd.h>

namespace namid::train {

/// optimizer.step() with one pass over the memory of each weight instead of one per term: v ← μv +
/// g + λw, w ← w − ηv, on any device. State and options are the optimiser's; results differ from
/// its own step by rounding. Weights without a gradient stay as they are.
void fused_step(torch::optim::SGD& optimizer);

}  // namespace namid::train
