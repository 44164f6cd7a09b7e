// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/nn/module.h>

#include "namid/models/classifier.h"

namespace namid::models {

/// A second name of a direct child module in state dicts: written right after the child `after`,
/// accepted instead of the entries of the child `of`.
struct ModuleAlias {
  std::string name;
  std::string of;
  std::string after;
};

/// What every built-in network is built for.
struct NetworkShape {
  std::vector<std::int64_t> input_shape;  ///< of one sample, {C, H, W} for images
  std::int64_t num_classes = 0;
  std::int64_t width = 0;  ///< channels of the first stage; 0: the network's own
  std::int64_t width_or(std::int64_t own) const { return width > 0 ? width : own; }
};

/// A built-in network: a torch module whose forward can stop at an internal layer.
class Network : public torch::nn::Module {
 public:
  /// The tensor at `layer`. OptionError for a layer that the network does not have.
  virtual at::Tensor forward(const at::Tensor& x, Layer layer) = 0;
  virtual bool has_layer(Layer layer) const { return layer == Layer::logits; }
  /// A network of the same architecture, with fresh weights. OptionError where not overridden.
  virtual std::shared_ptr<Network> build_again() const;
  virtual std::vector<ModuleAlias> aliases() const { return {}; }

 protected:
  /// OptionError unless the network has `layer`.
  void check_layer(Layer layer) const;
};

/// Parameters and buffers in PyTorch's state_dict order, with PyTorch's keys; storage is shared.
TensorMap state_dict(const Network& network);

/// Copies `state` into the network, in place. DataError names all that is missing, unknown or of
/// another shape or dtype; then nothing was copied.
void load_state_dict(const Network& network, const TensorMap& state);

/// A network of its own with equal weights, buffers, modes and requires_grad flags.
std::shared_ptr<Network> deep_copy(const Network& network);

/// Eval mode and requires_grad = false until the last copy of the token goes; then every module and
/// parameter is as it was.
[[nodiscard]] std::shared_ptr<void> frozen_eval(const std::shared_ptr<Network>& network);

}  // namespace namid::models
