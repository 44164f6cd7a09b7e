// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "namid/core/options.h"
#include "namid/models/classifier.h"

// A classifier in eval mode as plain data: what certificates, exports and compiled forwards work
// on. Everything about the model's own code, its modules or its file is gone.

namespace namid::models {

/// What a node computes from a batch (N, C, ...):
///   input      the images in [0,1]
///   affine     weight_c x + bias_c per channel: input normalisation
///   conv       2-d convolution: weight (O, I / groups, kh, kw), bias (O)
///   linear     x weight^T + bias of vectors: weight (O, I), bias (O)
///   batch_norm (x − mean_c) / sqrt(variance_c + epsilon) · weight_c + bias_c
///   relu       max(x, 0)
///   avg_pool, max_pool   windows; a global average has a window of the whole image
///   flatten    (N, C, H, W) → (N, C·H·W)
///   add        sum of two values of equal shape
enum class GraphOp {
  input,
  affine,
  conv,
  linear,
  batch_norm,
  relu,
  avg_pool,
  max_pool,
  flatten,
  add
};

/// Of convolutions and pools, {vertical, horizontal}.
struct Window {
  std::array<std::int64_t, 2> kernel{1, 1}, stride{1, 1}, padding{0, 0}, dilation{1, 1};
  std::int64_t groups = 1;         ///< of a convolution
  bool ceil_mode = false;          ///< of a pool: the last window may hang over
  bool count_include_pad = false;  ///< of an average pool: the divisor is the kernel's size
};

struct GraphNode {
  GraphOp op = GraphOp::input;
  std::string name;                 ///< the layer's name in the state dict, else "relu 3"
  std::vector<std::size_t> inputs;  ///< nodes before this one
  std::vector<std::int64_t> shape;  ///< of the value of one sample
  Window window = {};
  /// Copies, float32 on the CPU, contiguous; float64 for affine. Of nodes that have them, all but
  /// the bias are defined; undefined: no bias (batch_norm: always defined).
  at::Tensor weight = {}, bias = {}, mean = {}, variance = {};
  double epsilon = 0;
};

/// Nodes in an order in which inputs come first; node 0 is the input, the last one the logits.
/// Every node but the input is needed for the logits.
struct Graph {
  std::string name;
  std::vector<GraphNode> nodes;
  const GraphNode& logits() const { return nodes.back(); }
};

/// The graph of a built-in network or of a program out of a file, normalisation included; the
/// classifier is only read, in eval mode. One batch of two images is traced through PyTorch's
/// dispatcher, so that what is described is what runs: constants are folded, dropout in eval mode,
/// copies and type conversions are left out, ReLU in place is ReLU.
///
/// OptionError, with the layer or operator, for what GraphOp does not have (attention, sigmoid,
/// ...), for BatchNorm on batch statistics, for a callable, whose layers are not known, and for a
/// model whose logits are not those of the graph, which depends on its input in another way.
Graph describe(const Classifier& model);

/// Logits of images x (N, ...), by the graph alone: float32 as the model computes them, or in the
/// type of x, if that is float64.
at::Tensor evaluate(const Graph& graph, const at::Tensor& x);

/// "conv 'layer1.0.conv1'", for messages.
std::string describe_node(const GraphNode& node);

}  // namespace namid::models

namespace namid {
template <>
struct EnumNames<models::GraphOp> {
  static constexpr std::array kNames{"input", "affine",   "conv",     "linear",  "batch_norm",
                                     "relu",  "avg_pool", "max_pool", "flatten", "add"};
};
}  // namespace namid
