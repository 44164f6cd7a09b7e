// SPDX-License-Identifier: Apache-2.0
#include "namid/certify/affine_network.h"

#include <ATen/Functions.h>

#include "namid/certify/layer_map.h"
#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::certify {
namespace {

using models::GraphNode;
using models::GraphOp;

at::Tensor exact(const at::Tensor& values) {
  return values.to(at::kDouble);
}

/// A vector over channels, shaped to multiply dimension `dim` of a weight.
at::Tensor along(const at::Tensor& values, const at::Tensor& weight, std::int64_t dim) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(weight.dim()), 1);
  shape[static_cast<std::size_t>(dim)] = -1;
  return values.view(shape);
}

Layer with_sizes(Layer layer) {
  if (!layer.weight_size.defined()) layer.weight_size = layer.weight.abs();
  if (!layer.bias_size.defined()) layer.bias_size = layer.bias.abs();
  return layer;
}

Layer scale_of(const GraphNode& node) {
  Layer layer{.kind = LayerKind::scale, .fan_in = 1};
  if (node.op == GraphOp::affine) {
    layer.weight = exact(node.weight);
    layer.bias = exact(node.bias);
    return with_sizes(std::move(layer));
  }
  const auto k = exact(node.weight) / (exact(node.variance) + node.epsilon).sqrt();
  const auto mean = exact(node.mean), shift = exact(node.bias);
  layer.weight = k;
  layer.bias = shift - mean * k;
  layer.bias_size = shift.abs() + (mean * k).abs();
  return with_sizes(std::move(layer));
}

Layer conv_of(const GraphNode& node) {
  Layer layer{.kind = LayerKind::conv, .window = node.window, .weight = exact(node.weight)};
  layer.bias = node.bias.defined() ? exact(node.bias)
                                   : at::zeros(layer.weight.size(0), layer.weight.options());
  layer.fan_in = layer.weight[0].numel();
  return with_sizes(std::move(layer));
}

Layer linear_of(const GraphNode& node) {
  Layer layer{.kind = LayerKind::linear, .weight = exact(node.weight)};
  layer.bias = node.bias.defined() ? exact(node.bias)
                                   : at::zeros(layer.weight.size(0), layer.weight.options());
  layer.fan_in = layer.weight.size(1);
  return with_sizes(std::move(layer));
}

Layer average_of(const GraphNode& node, const std::vector<std::int64_t>& in) {
  const auto& w = node.window;
  const bool padded = w.padding[0] + w.padding[1] > 0;
  const auto uneven = [&](std::size_t axis) {
    return (in[axis + 1] + 2 * w.padding[axis] - w.kernel[axis]) % w.stride[axis] != 0;
  };
  if ((padded && !w.count_include_pad) || (w.ceil_mode && (uneven(0) || uneven(1))))
    throw OptionError(str("[certify] ", describe_node(node),
                          ": windows at the border have divisors of their own; expected an average "
                          "pool without padding (or that counts it) and without ceil_mode"));
  const auto channels = in[0], count = w.kernel[0] * w.kernel[1];
  Layer layer{.kind = LayerKind::conv, .window = w};
  layer.window.groups = channels;
  layer.weight = at::full({channels, 1, w.kernel[0], w.kernel[1]}, 1.0 / static_cast<double>(count),
                          at::kDouble);
  layer.bias = at::zeros(channels, at::kDouble);
  layer.fan_in = count;
  return with_sizes(std::move(layer));
}

/// second(first(x)) for a scale behind a convolution, linear layer or scale.
Layer scaled(const Layer& first, const Layer& second) {
  auto merged = first;
  const auto k = second.weight, size = second.weight_size;
  merged.weight = first.weight * along(k, first.weight, 0);
  merged.weight_size = first.weight_size * along(size, first.weight, 0);
  merged.bias = first.bias * k + second.bias;
  merged.bias_size = first.bias_size * size + second.bias_size;
  merged.fan_in = first.fan_in + 1;
  return merged;
}

/// The matrix of a scale of images or vectors in front of a linear layer.
at::Tensor repeated(const at::Tensor& values, const std::vector<std::int64_t>& shape) {
  return values.repeat_interleave(c10::multiply_integers(shape) / shape[0]);
}

/// second(first(x)) for a linear layer behind a scale or a linear layer.
Layer before_linear(const Layer& first, const Layer& second) {
  auto merged = second;
  merged.inputs = first.inputs;
  merged.fan_in = second.fan_in + first.fan_in;
  if (first.kind == LayerKind::linear) {
    merged.weight = second.weight.mm(first.weight);
    merged.weight_size = second.weight_size.mm(first.weight_size);
    merged.bias = second.weight.mv(first.bias) + second.bias;
    merged.bias_size = second.weight_size.mv(first.bias_size) + second.bias_size;
    return merged;
  }
  merged.weight = second.weight * repeated(first.weight, first.shape);
  merged.weight_size = second.weight_size * repeated(first.weight_size, first.shape);
  merged.bias = second.weight.mv(repeated(first.bias, first.shape)) + second.bias;
  merged.bias_size =
      second.weight_size.mv(repeated(first.bias_size, first.shape)) + second.bias_size;
  return merged;
}

/// second(first(x)) for a convolution without padding behind a scale.
Layer before_conv(const Layer& first, const Layer& second) {
  auto merged = second;
  merged.inputs = first.inputs;
  merged.fan_in = second.fan_in + 1;
  const auto groups = second.window.groups, out = second.weight.size(0) / groups;
  const auto folded = [&](const at::Tensor& weight, const at::Tensor& values) {
    const auto per_group = values.view({groups, 1, -1}).expand({groups, out, weight.size(1)});
    return weight * per_group.reshape({groups * out, -1, 1, 1});
  };
  const auto sum = [](const at::Tensor& weight) { return weight.sum({1, 2, 3}); };
  merged.weight = folded(second.weight, first.weight);
  merged.weight_size = folded(second.weight_size, first.weight_size);
  merged.bias = second.bias + sum(folded(second.weight, first.bias));
  merged.bias_size = second.bias_size + sum(folded(second.weight_size, first.bias_size));
  return merged;
}

bool unpadded(const Layer& layer) {
  return layer.window.padding[0] == 0 && layer.window.padding[1] == 0;
}

/// Builds the layers, folding where what comes first is read by nothing else.
class NormalForm {
 public:
  explicit NormalForm(const models::Graph& graph) : graph_(graph), readers_(graph.nodes.size()) {
    for (const auto& node : graph.nodes)
      for (const auto input : node.inputs) ++readers_[input];
  }

  AffineNetwork build() {
    network_.name = graph_.name;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) add_node(i);
    if (!network_.layers.back().affine())
      throw OptionError(str("[certify] ", graph_.name,
                            ": expected a last layer that is linear, got ",
                            describe_node(graph_.logits())));
    return std::move(network_);
  }

 private:
  struct Place {
    std::size_t layer = 0;
    bool only = true;  ///< nothing else reads what lies between
  };

  void add_node(std::size_t index) {
    const auto& node = graph_.nodes[index];
    if (node.op == GraphOp::flatten) {
      const auto from = places_.at(node.inputs[0]);
      places_.push_back({from.layer, from.only && readers_[node.inputs[0]] == 1});
      return;
    }
    auto layer = layer_of(node);
    layer.name = node.name;
    layer.shape = node.shape;
    for (const auto input : node.inputs) layer.inputs.push_back(places_[input].layer);
    if (layer.affine() && places_[node.inputs[0]].only && readers_[node.inputs[0]] == 1 &&
        fold(layer))
      return;
    network_.layers.push_back(std::move(layer));
    places_.push_back({network_.layers.size() - 1});
  }

  Layer layer_of(const GraphNode& node) const {
    switch (node.op) {
      case GraphOp::input:
        return {};
      case GraphOp::affine:
      case GraphOp::batch_norm:
        return scale_of(node);
      case GraphOp::conv:
        return conv_of(node);
      case GraphOp::linear:
        return linear_of(node);
      case GraphOp::relu:
        return {.kind = LayerKind::relu};
      case GraphOp::add:
        return {.kind = LayerKind::add, .fan_in = 2};
      case GraphOp::avg_pool:
        return average_of(node, graph_.nodes[node.inputs[0]].shape);
      default:
        throw OptionError(
            str("[certify] ", describe_node(node),
                ": max pooling is unsupported by certificates; train the network with "
                "average pooling or strides instead"));
    }
  }

  /// Puts `second` and the layer that it reads into one, if that is possible.
  bool fold(const Layer& second) {
    const auto place = second.inputs[0];
    const auto& first = network_.layers[place];
    if (!first.affine()) return false;
    Layer merged;
    if (second.kind == LayerKind::scale)
      merged = scaled(first, second);
    else if (second.kind == LayerKind::linear && first.kind != LayerKind::conv)
      merged = before_linear(first, second);
    else if (second.kind == LayerKind::conv && first.kind == LayerKind::scale && unpadded(second))
      merged = before_conv(first, second);
    else
      return false;
    merged.name = str(first.name, " + ", second.name);
    merged.shape = second.shape;
    network_.layers[place] = std::move(merged);
    places_.push_back({place});
    return true;
  }

  const models::Graph& graph_;
  AffineNetwork network_;
  std::vector<int> readers_;
  std::vector<Place> places_;
};

}  // namespace

at::TensorOptions AffineNetwork::tensors() const {
  for (const auto& layer : layers)
    if (layer.affine()) return layer.weight.options();
  return at::kDouble;
}

AffineNetwork normal_form(const models::Graph& graph) {
  return NormalForm(graph).build();
}

at::Tensor forward(const AffineNetwork& network, const at::Tensor& x) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> values{x.to(network.tensors())};
  for (std::size_t i = 1; i < network.layers.size(); ++i) {
    const auto& layer = network.layers[i];
    const auto& in = values[layer.inputs[0]];
    if (layer.affine())
      values.push_back(apply(layer, in));
    else
      values.push_back(layer.kind == LayerKind::relu ? at::relu(in) : in + values[layer.inputs[1]]);
  }
  return values.back();
}

}  // namespace namid::certify
