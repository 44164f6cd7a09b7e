// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "namid/models/graph.h"

namespace namid::certify {

/// What a layer of the normal form computes: the images, weight_c x + bias_c per channel, a
/// convolution, a linear layer of the flattened input, max(x, 0), or the sum of two values.
enum class LayerKind { input, scale, conv, linear, relu, add };

struct Layer {
  LayerKind kind = LayerKind::input;
  std::string name;                 ///< of the layers it was made of, "conv1 + bn1"
  std::vector<std::size_t> inputs;  ///< layers before this one
  std::vector<std::int64_t> shape;  ///< of one sample
  models::Window window = {};       ///< of a convolution
  at::Tensor weight, bias;          ///< float64; both defined for scale, conv and linear
  /// The same from the absolute values of everything that was folded into them: what rounding
  /// errors are in proportion to.
  at::Tensor weight_size = {}, bias_size = {};
  std::int64_t fan_in = 0;  ///< products that one output sums, 0 for what does not round

  bool affine() const {
    return kind == LayerKind::scale || kind == LayerKind::conv || kind == LayerKind::linear;
  }
};

/// A network as alternating affine layers and ReLUs, inputs first; layer 0 is the input, the last
/// one gives the logits.
struct AffineNetwork {
  std::string name;
  std::vector<Layer> layers;
  const Layer& logits() const { return layers.back(); }
  std::int64_t classes() const { return logits().shape.at(0); }
  /// The type and device of every weight: float64.
  at::TensorOptions tensors() const;
};

/// The normal form of a graph, in float64 (the float32 weights converted exactly):
///   batch norm      k = γ / sqrt(σ² + eps): W' = W k per output channel, b' = (b − μ) k + β, after
///                   a convolution or linear layer that nothing else reads; else a scale of its own
///                   (before a padded convolution it must stay one: padding comes after it)
///   affine          input normalisation: into a convolution without padding or a linear layer
///   average pool    a convolution of each channel for itself, weights 1 / (kernel's size)
///   linear, linear  one linear layer
/// OptionError, with the layer, for max pooling and for average pools whose windows do not all have
/// the same divisor; and for a network that ends in no affine layer.
AffineNetwork normal_form(const models::Graph& graph);

/// Logits in float64.
at::Tensor forward(const AffineNetwork& network, const at::Tensor& x);

}  // namespace namid::certify
