// SPDX-License-Identifier: Apache-2.0
#include "namid/models/graph.h"

#include <ATen/Functions.h>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/graph_trace.h"

namespace namid::models {
namespace {

/// Values per channel, to be broadcast over a batch (N, C, ...).
at::Tensor per_channel(const at::Tensor& values, const at::Tensor& x) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[1] = -1;
  return values.to(x.options()).view(shape);
}

at::Tensor to_type_of(const at::Tensor& values, const at::Tensor& x) {
  return values.defined() ? values.to(x.options()) : values;
}

at::Tensor compute(const GraphNode& node, const at::Tensor& x, const at::Tensor& other) {
  const auto& w = node.window;
  const auto weight = to_type_of(node.weight, x), bias = to_type_of(node.bias, x);
  switch (node.op) {
    case GraphOp::input:
      return x;
    case GraphOp::affine:
      return x * per_channel(node.weight, x) + per_channel(node.bias, x);
    case GraphOp::conv:
      return at::conv2d(x, weight, bias, w.stride, w.padding, w.dilation, w.groups);
    case GraphOp::linear:
      return at::linear(x, weight, bias);
    case GraphOp::batch_norm:
      return at::batch_norm(x, weight, bias, to_type_of(node.mean, x), to_type_of(node.variance, x),
                            false, 0, node.epsilon, false);
    case GraphOp::relu:
      return at::relu(x);
    case GraphOp::avg_pool:
      return at::avg_pool2d(x, w.kernel, w.stride, w.padding, w.ceil_mode, w.count_include_pad);
    case GraphOp::max_pool:
      return at::max_pool2d(x, w.kernel, w.stride, w.padding, w.dilation, w.ceil_mode);
    case GraphOp::flatten:
      return x.flatten(1);
    case GraphOp::add:
      return x + other;
  }
  throw std::logic_error("graph: unknown operation");
}

/// The classifier whose graph is wanted, on random images: a graph that agrees there holds what was
/// traced and no constant that the images should have changed.
void check_against(const Classifier& model, const Graph& graph) {
  const at::NoGradGuard no_grad;
  auto shape = model.info().input_shape;
  shape.insert(shape.begin(), 3);
  // Fixed, without a generator: an irrational rotation fills [0,1] evenly.
  const auto x = at::arange(c10::multiply_integers(shape), at::kDouble)
                     .mul_(0.6180339887498949)
                     .frac_()
                     .to(at::kFloat)
                     .view(shape);
  const auto theirs = model(x.to(model.device())).to(at::kCPU, at::kDouble);
  const auto ours = evaluate(graph, x.to(at::kDouble));
  const auto scale = theirs.abs().max().item<double>();
  const auto apart = (theirs - ours).abs().max().item<double>();
  if (!(apart <= 1e-3 * scale + 1e-6))
    throw OptionError(str("[model] ", graph.name,
                          ": a layer depends on its input in a way that a "
                          "trace does not show (logits differ by ",
                          shortest(apart), ")"));
}

}  // namespace

Graph describe(const Classifier& model) {
  const auto eval_mode = model.frozen_eval();
  auto graph = trace_graph(model);
  check_against(model, graph);
  return graph;
}

at::Tensor evaluate(const Graph& graph, const at::Tensor& x) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> values(graph.nodes.size());
  std::vector<std::size_t> last_use(graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    for (const auto input : graph.nodes[i].inputs) last_use[input] = i;
  values[0] = x;
  for (std::size_t i = 1; i < graph.nodes.size(); ++i) {
    const auto& inputs = graph.nodes[i].inputs;
    values[i] = compute(graph.nodes[i], values[inputs[0]],
                        inputs.size() > 1 ? values[inputs[1]] : at::Tensor());
    for (const auto input : inputs)
      if (last_use[input] == i) values[input] = at::Tensor();
  }
  return values.back();
}

std::string describe_node(const GraphNode& node) {
  return str(namid::to_string(node.op), " '", node.name, "'");
}

}  // namespace namid::models
