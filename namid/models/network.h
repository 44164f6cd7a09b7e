// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/nn/module.h>

#include "namid/models/classifier.h"

namespace namid::models {

/// A built-in network: a torch module whose forward can stop at an internal layer.
class Network : public torch::nn::Module {
 public:
  /// The tensor at `layer`. OptionError for a layer that the network does not have.
  virtual at::Tensor forward(const at::Tensor& x, Layer layer) = 0;
  virtual bool has_layer(Layer layer) const { return layer == Layer::logits; }
};

}  // namespace namid::models
