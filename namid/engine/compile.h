// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "namid/engine/convolution.h"
#include "namid/models/classifier.h"

namespace namid::engine {

struct EngineOptions {
  Kernel kernel = Kernel::automatic;  ///< other than automatic: for tests and measurements
  /// Bytes that the values of one pass may hold; 0: what the machine has. A batch that needs more
  /// goes through in halves, quarters, ... (micro_batches.h).
  std::int64_t memory_limit = 0;
};

/// The same classifier with compiled forwards and input gradients, for attacks: BatchNorm folded
/// into convolutions, biases, sums and ReLUs fused, nothing kept but one bit per ReLU, no weight
/// gradients. A handle on the model, not a copy: it has the model's weights, present and future
/// (they are packed again when they have changed), its mode, its info.
///
/// Compiled is what attacks ask for: logits of float32 images of the input shape on the CPU, in
/// eval mode, of parameters that need no gradient, and the gradient by the images, as often as
/// wanted per forward. Anything else runs the model itself: train mode, gradients by parameters,
/// derivatives of gradients, other layers, devices, types and sizes. Results differ from the
/// model's by rounding: logits by some 1e-6 of the largest. Those of a sample depend on the other
/// rows of its batch and on its batch's size where LibTorch's own kernels do.
///
/// A model whose layers a Graph does not hold (models::describe) is returned as it is, and the log
/// says why.
models::Classifier compile(const models::Classifier& model, const EngineOptions& options = {});

/// What became of a model.
struct Compiled {
  models::Classifier model;
  std::string kernels = {};  ///< of its convolutions, "winograd 16, im2col 4, direct 0"; empty: not
                             ///< compiled
  std::string refusal = {};  ///< why not
};
/// `compile`, which says nothing.
Compiled try_compile(const models::Classifier& model, const EngineOptions& options = {});

}  // namespace namid::engine
