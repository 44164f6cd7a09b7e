// SPDX-License-Identifier: Apache-2.0
#include "namid/models/graph_onnx.h"

#include <ATen/core/Tensor.h>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::models {
namespace {

using io::OnnxNode;

std::vector<std::int64_t> list(const std::array<std::int64_t, 2>& pair) {
  return {pair[0], pair[1]};
}

std::vector<std::int64_t> one_image(std::vector<std::int64_t> shape) {
  shape.insert(shape.begin(), 1);
  return shape;
}

class OnnxGraph {
 public:
  explicit OnnxGraph(const Graph& graph) : graph_(graph) {}

  io::OnnxModel build() {
    model_.name = graph_.name;
    model_.input = {value(0), one_image(graph_.nodes[0].shape)};
    model_.output = {value(graph_.nodes.size() - 1), one_image(graph_.logits().shape)};
    for (std::size_t i = 1; i < graph_.nodes.size(); ++i) add(i);
    return std::move(model_);
  }

 private:
  std::string value(std::size_t i) const {
    return i == 0 ? "X" : i + 1 == graph_.nodes.size() ? "Y" : str("v", i);
  }

  std::string weight(std::size_t i, const std::string& what, const at::Tensor& tensor,
                     std::vector<std::int64_t> shape = {}) {
    const auto values = tensor.to(at::kFloat).contiguous();
    const auto* first = values.const_data_ptr<float>();
    if (shape.empty()) shape = values.sizes().vec();
    model_.weights.push_back({str("w", i, ".", what), shape, {first, first + values.numel()}});
    return model_.weights.back().name;
  }

  /// One node that reads the node's own inputs and, after them, `more`.
  void append(std::size_t i, const std::string& type, const std::vector<std::string>& more = {},
              std::vector<std::pair<std::string, io::OnnxValue>> attributes = {}) {
    OnnxNode node{.type = type, .name = graph_.nodes[i].name, .outputs = {value(i)}};
    for (const auto input : graph_.nodes[i].inputs) node.inputs.push_back(value(input));
    node.inputs.insert(node.inputs.end(), more.begin(), more.end());
    node.attributes = std::move(attributes);
    model_.nodes.push_back(std::move(node));
  }

  std::vector<std::pair<std::string, io::OnnxValue>> window(const GraphNode& node) const {
    const auto& w = node.window;
    return {{"kernel_shape", list(w.kernel)},
            {"strides", list(w.stride)},
            {"pads",
             std::vector<std::int64_t>{w.padding[0], w.padding[1], w.padding[0], w.padding[1]}}};
  }

  void add_affine(std::size_t i) {
    const auto& node = graph_.nodes[i];
    std::vector<std::int64_t> shape(node.shape.size() + 1, 1);
    shape[1] = node.weight.numel();
    const auto scaled = value(i) + ".scaled";
    model_.nodes.push_back({"Mul",
                            node.name + " scale",
                            {value(node.inputs[0]), weight(i, "weight", node.weight, shape)},
                            {scaled}});
    model_.nodes.push_back(
        {"Add", node.name, {scaled, weight(i, "bias", node.bias, shape)}, {value(i)}});
  }

  void add_weighted(std::size_t i) {
    const auto& node = graph_.nodes[i];
    std::vector<std::string> weights{weight(i, "weight", node.weight)};
    if (node.bias.defined()) weights.push_back(weight(i, "bias", node.bias));
    if (node.op == GraphOp::linear)
      return append(i, "Gemm", weights, {{"transB", std::int64_t{1}}});
    auto attributes = window(node);
    attributes.emplace_back("dilations", list(node.window.dilation));
    attributes.emplace_back("group", node.window.groups);
    append(i, "Conv", weights, std::move(attributes));
  }

  void add_pool(std::size_t i) {
    const auto& node = graph_.nodes[i];
    auto attributes = window(node);
    attributes.emplace_back("ceil_mode", std::int64_t{node.window.ceil_mode});
    const bool average = node.op == GraphOp::avg_pool;
    if (average)
      attributes.emplace_back("count_include_pad", std::int64_t{node.window.count_include_pad});
    else
      attributes.emplace_back("dilations", list(node.window.dilation));
    append(i, average ? "AveragePool" : "MaxPool", {}, std::move(attributes));
  }

  void add_batch_norm(std::size_t i) {
    const auto& node = graph_.nodes[i];
    append(i, "BatchNormalization",
           {weight(i, "weight", node.weight), weight(i, "bias", node.bias),
            weight(i, "mean", node.mean), weight(i, "variance", node.variance)},
           {{"epsilon", static_cast<float>(node.epsilon)}});
  }

  void add(std::size_t i) {
    switch (graph_.nodes[i].op) {
      case GraphOp::input:
        return;
      case GraphOp::affine:
        return add_affine(i);
      case GraphOp::conv:
      case GraphOp::linear:
        return add_weighted(i);
      case GraphOp::batch_norm:
        return add_batch_norm(i);
      case GraphOp::avg_pool:
      case GraphOp::max_pool:
        return add_pool(i);
      case GraphOp::relu:
        return append(i, "Relu");
      case GraphOp::flatten:
        return append(i, "Flatten", {}, {{"axis", std::int64_t{1}}});
      case GraphOp::add:
        return append(i, "Add");
    }
  }

  const Graph& graph_;
  io::OnnxModel model_;
};

}  // namespace

io::OnnxModel to_onnx(const Graph& graph) {
  return OnnxGraph(graph).build();
}

}  // namespace namid::models
