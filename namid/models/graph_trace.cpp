// SPDX-License-Identifier: Apache-2.0
#include "namid/models/graph_trace.h"

#include <ATen/Functions.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <unordered_map>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/network.h"
#include "namid/models/program_classifier.h"

namespace namid::models {
namespace {

using torch::jit::Node;
using torch::jit::Value;

std::vector<std::int64_t> sizes_of(const Value* value) {
  const auto type = value->type()->cast<c10::TensorType>();
  const auto sizes = type ? type->sizes().concrete_sizes() : std::nullopt;
  if (!sizes) throw OptionError("[model] graph: a value of unknown shape");
  return *sizes;
}

std::int64_t numel_of(const Value* value) {
  return c10::multiply_integers(sizes_of(value));
}

/// Constant integers, a list of them or one for both directions.
std::array<std::int64_t, 2> pair_of(const Value* value) {
  std::vector<std::int64_t> numbers;
  if (const auto known = torch::jit::toIValue(value)) {
    if (known->isIntList()) numbers = known->toIntVector();
  } else if (value->node()->kind() == c10::prim::ListConstruct) {
    for (const auto* entry : value->node()->inputs())
      if (const auto number = torch::jit::toIValue(entry)) numbers.push_back(number->toInt());
  }
  if (numbers.size() == 1) numbers.push_back(numbers[0]);
  if (numbers.size() != 2) throw OptionError("[model] graph: expected a pair of sizes");
  return {numbers[0], numbers[1]};
}

bool truth_of(const Value* value) {
  const auto known = torch::jit::toIValue(value);
  return known && known->isBool() && known->toBool();
}

/// Reads the trace from the logits back; only what the logits need becomes a node.
class GraphReader {
 public:
  GraphReader(const Classifier& model, const Value* input) : model_(model) {
    graph_.name = model.info().name;
    for (const auto& [key, tensor] : model.state_dict())
      if (tensor.numel() > 0) names_[tensor.data_ptr()] = key;
    graph_.nodes.push_back({.name = "images", .shape = model.info().input_shape});
    nodes_[input] = 0;
  }

  Graph read(const Value* logits) {
    node_of(logits);
    return std::move(graph_);
  }

 private:
  std::size_t node_of(const Value* value);
  std::size_t read_call(const Value* value);
  std::size_t pass_through(const Node* call) { return node_of(call->input(0)); }
  std::size_t elementwise(const Value* value);
  std::size_t convolution(const Value* value);
  std::size_t linear(const Value* value, const Value* x, const at::Tensor& weight,
                     const at::Tensor& bias);
  std::size_t matrix_product(const Value* value);
  std::size_t batch_norm(const Value* value);
  std::size_t pool(const Value* value, GraphOp op);
  std::size_t whole_average(const Value* value);
  std::size_t reshaped(const Value* value);

  std::optional<at::Tensor> constant(const Value* value) const;
  /// A parameter on the CPU in float32; undefined for None.
  at::Tensor parameter(const Value* value);
  std::size_t append(GraphNode node, const Value* value, std::vector<std::size_t> inputs);
  [[noreturn]] void refuse(const Node* call, const std::string& why) const;

  const Classifier& model_;
  Graph graph_;
  std::unordered_map<const Value*, std::size_t> nodes_;
  std::unordered_map<const void*, std::string> names_;
  std::map<std::string, int> counts_;
  std::string layer_;  // of the parameter read last
};

void GraphReader::refuse(const Node* call, const std::string& why) const {
  std::string after = graph_.nodes.back().name;
  throw OptionError(str("[model] ", graph_.name, ": operator ", call->kind().toQualString(),
                        after == "images" ? "" : str(" after ", describe_node(graph_.nodes.back())),
                        ": ", why));
}

std::optional<at::Tensor> GraphReader::constant(const Value* value) const {
  if (const auto known = torch::jit::toIValue(value)) {
    if (known->isTensor()) return known->toTensor();
    if (known->isDouble()) return at::scalar_tensor(known->toDouble(), at::kDouble);
    if (known->isInt()) return at::scalar_tensor(static_cast<double>(known->toInt()), at::kDouble);
    return {};
  }
  const auto* call = value->node();
  const std::string_view kind = call->kind().toUnqualString();
  if (call->inputs().empty()) return {};
  const auto of = constant(call->input(0));
  if (!of) return {};
  if (kind == "t") return of->t();
  if (kind == "to" || kind == "_to_copy")
    return of->to(*value->type()->expect<c10::TensorType>()->scalarType());
  if (kind == "detach" || kind == "alias" || kind == "contiguous" || kind == "clone") return *of;
  if (kind == "view" || kind == "reshape" || kind == "unsqueeze")
    return of->reshape(sizes_of(value));
  if (kind == "transpose" || kind == "permute")
    return of->dim() == 2 && sizes_of(value) == of->t().sizes() ? std::optional(of->t())
                                                                : std::nullopt;
  return {};
}

at::Tensor GraphReader::parameter(const Value* value) {
  const auto known = torch::jit::toIValue(value);
  if (known && known->isNone()) return {};
  const auto tensor = constant(value);
  if (!tensor)
    throw OptionError(str("[model] ", graph_.name, ": weights that depend on the images"));
  if (!tensor->defined()) return {};
  if (const auto found = names_.find(tensor->data_ptr()); found != names_.end())
    layer_ = found->second.substr(0, found->second.rfind('.'));
  return tensor->detach().to(at::kCPU, at::kFloat).contiguous().clone();
}

std::size_t GraphReader::append(GraphNode node, const Value* value,
                                std::vector<std::size_t> inputs) {
  const auto kind = std::string(namid::to_string(node.op));
  const auto number = ++counts_[kind];
  node.name = layer_.empty() ? str(kind, " ", number) : layer_;
  layer_.clear();
  node.shape = sizes_of(value);
  node.shape.erase(node.shape.begin());
  node.inputs = std::move(inputs);
  graph_.nodes.push_back(std::move(node));
  return graph_.nodes.size() - 1;
}

std::size_t GraphReader::node_of(const Value* value) {
  if (const auto found = nodes_.find(value); found != nodes_.end()) return found->second;
  const auto index = read_call(value);
  nodes_[value] = index;
  return index;
}

std::size_t GraphReader::read_call(const Value* value) {
  const auto* call = value->node();
  const std::string_view kind = call->kind().toUnqualString();
  const auto any = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), kind) != names.end();
  };
  if (any({"_convolution", "convolution", "conv2d"})) return convolution(value);
  if (any({"linear", "addmm", "mm", "matmul"})) return matrix_product(value);
  if (any({"batch_norm", "_native_batch_norm_legit_no_training", "native_batch_norm"}))
    return batch_norm(value);
  if (any({"relu", "relu_"})) return append({.op = GraphOp::relu}, value, {pass_through(call)});
  if (kind == "avg_pool2d") return pool(value, GraphOp::avg_pool);
  if (any({"max_pool2d", "max_pool2d_with_indices"})) return pool(value, GraphOp::max_pool);
  if (any({"adaptive_avg_pool2d", "_adaptive_avg_pool2d", "mean"})) return whole_average(value);
  if (any({"flatten", "view", "reshape", "_unsafe_view", "squeeze", "unsqueeze"}))
    return reshaped(value);
  if (any({"add", "add_", "sub", "sub_", "mul", "mul_", "div", "div_"})) return elementwise(value);
  if (any({"dropout", "feature_dropout"})) {
    if (truth_of(call->input(2)))
      refuse(call,
             "dropout in train mode draws random numbers; "
             "call model.eval() and export again");
    return pass_through(call);
  }
  if (any({"contiguous", "to", "_to_copy", "detach", "alias", "clone", "lift_fresh",
           "lift_fresh_copy"}))
    return pass_through(call);
  refuse(call,
         "no layer that can be described (convolution, linear, BatchNorm, ReLU, pooling, "
         "flatten, sums)");
}

std::size_t GraphReader::elementwise(const Value* value) {
  const auto* call = value->node();
  const std::string_view kind = call->kind().toUnqualString();
  const bool scales = kind.starts_with("mul") || kind.starts_with("div");
  if (!scales && call->inputs().size() > 2) {
    const auto alpha = torch::jit::toIValue(call->input(2));
    if (!alpha || alpha->toScalar().toDouble() != 1) refuse(call, "a factor other than 1");
  }
  const auto *x = call->input(0), *other = call->input(1);
  auto values = constant(other);
  if (!values && !kind.starts_with("sub") && !kind.starts_with("div")) {
    values = constant(x);
    if (values) std::swap(x, other);
  }
  if (!values) {
    if (!kind.starts_with("add") || sizes_of(x) != sizes_of(other))
      refuse(call, "of two values, only sums of equal shape can be described");
    const auto first = node_of(x), second = node_of(other);
    return append({.op = GraphOp::add}, value, {first, second});
  }
  const auto sizes = sizes_of(x);
  if (sizes != sizes_of(value)) refuse(call, "broadcasts the images");
  const auto channels = sizes[1];
  auto expected = std::vector<std::int64_t>(sizes.size(), 1);
  expected[1] = channels;
  if (values->numel() != 1 &&
      (values->numel() != channels || at::infer_size(values->sizes(), expected) != expected))
    refuse(call, "a constant that differs within a channel");
  auto constants = values->detach().to(at::kCPU, at::kDouble).reshape(-1).expand(channels).clone();
  GraphNode node{.op = GraphOp::affine,
                 .weight = at::ones(channels, at::kDouble),
                 .bias = at::zeros(channels, at::kDouble)};
  if (kind.starts_with("mul")) node.weight = constants;
  if (kind.starts_with("div")) node.weight = constants.reciprocal();
  if (kind.starts_with("add")) node.bias = constants;
  if (kind.starts_with("sub")) node.bias = constants.neg();
  const auto input = node_of(x);
  return append(std::move(node), value, {input});
}

std::size_t GraphReader::convolution(const Value* value) {
  const auto* call = value->node();
  const bool plain = std::string_view(call->kind().toUnqualString()) == "conv2d";
  if (!plain && truth_of(call->input(6))) refuse(call, "a transposed convolution");
  const auto input = node_of(call->input(0));
  GraphNode node{.op = GraphOp::conv, .bias = parameter(call->input(2))};
  node.weight = parameter(call->input(1));
  if (node.weight.dim() != 4) refuse(call, "a convolution that is not over images");
  node.window = {.kernel = {node.weight.size(2), node.weight.size(3)},
                 .stride = pair_of(call->input(3)),
                 .padding = pair_of(call->input(4)),
                 .dilation = pair_of(call->input(5)),
                 .groups = torch::jit::toIValue(call->input(plain ? 6 : 8))->toInt()};
  return append(std::move(node), value, {input});
}

std::size_t GraphReader::linear(const Value* value, const Value* x, const at::Tensor& weight,
                                const at::Tensor& bias) {
  if (sizes_of(x).size() != 2) refuse(value->node(), "a linear layer of something not flat");
  const auto name = std::exchange(layer_, {});
  const auto input = node_of(x);
  layer_ = name;
  return append({.op = GraphOp::linear, .weight = weight, .bias = bias}, value, {input});
}

std::size_t GraphReader::matrix_product(const Value* value) {
  const auto* call = value->node();
  const std::string_view kind = call->kind().toUnqualString();
  if (kind == "linear") {
    const auto bias = parameter(call->input(2));
    const auto weight = parameter(call->input(1));
    return linear(value, call->input(0), weight, bias);
  }
  const bool sum = kind == "addmm";
  const auto* right = call->input(sum ? 2 : 1);
  if (!constant(right)) refuse(call, "a product of two values of the network");
  const auto bias = sum ? parameter(call->input(0)) : at::Tensor();
  const auto weight = parameter(right).t().contiguous();
  return linear(value, call->input(sum ? 1 : 0), weight, bias);
}

std::size_t GraphReader::batch_norm(const Value* value) {
  const auto* call = value->node();
  const std::string_view kind = call->kind().toUnqualString();
  const bool plain = kind == "batch_norm" || kind == "native_batch_norm";
  if (plain && truth_of(call->input(5)))
    refuse(call,
           "BatchNorm on the statistics of the batch is no fixed function of an image; "
           "expected running statistics");
  const auto input = node_of(call->input(0));
  GraphNode node{.op = GraphOp::batch_norm, .mean = parameter(call->input(3))};
  node.variance = parameter(call->input(4));
  node.bias = parameter(call->input(2));
  node.weight = parameter(call->input(1));
  if (!node.weight.defined()) node.weight = at::ones_like(node.mean);
  if (!node.bias.defined()) node.bias = at::zeros_like(node.mean);
  node.epsilon = torch::jit::toIValue(call->input(plain ? 7 : 6))->toDouble();
  return append(std::move(node), value, {input});
}

std::size_t GraphReader::pool(const Value* value, GraphOp op) {
  const auto* call = value->node();
  const bool average = op == GraphOp::avg_pool;
  const auto input = node_of(call->input(0));
  GraphNode node{.op = op};
  auto& window = node.window;
  window.kernel = pair_of(call->input(1));
  const auto stride = torch::jit::toIValue(call->input(2));
  const bool own = (stride && stride->isIntList() && stride->toIntVector().empty()) ||
                   (!stride && call->input(2)->node()->inputs().empty());
  window.stride = own ? window.kernel : pair_of(call->input(2));
  window.padding = pair_of(call->input(3));
  if (!average) window.dilation = pair_of(call->input(4));
  window.ceil_mode = truth_of(call->input(average ? 4 : 5));
  if (average) {
    window.count_include_pad = truth_of(call->input(5));
    const auto divisor = torch::jit::toIValue(call->input(6));
    if (divisor && !divisor->isNone()) refuse(call, "a divisor of its own");
  }
  return append(std::move(node), value, {input});
}

/// An average over equal windows: adaptive pooling, or the mean over rows and columns.
std::size_t GraphReader::whole_average(const Value* value) {
  const auto* call = value->node();
  const auto in = sizes_of(call->input(0)), out = sizes_of(value);
  const bool mean = std::string_view(call->kind().toUnqualString()) == "mean";
  const auto rows = mean ? 1 : out[2], columns = mean ? 1 : out[3];
  if (in.size() != 4 || numel_of(value) != in[0] * in[1] * rows * columns || in[2] % rows != 0 ||
      in[3] % columns != 0)
    refuse(call, "an average over windows of different sizes");
  const auto input = node_of(call->input(0));
  GraphNode node{.op = GraphOp::avg_pool};
  node.window.kernel = node.window.stride = {in[2] / rows, in[3] / columns};
  const auto index = append(std::move(node), value, {input});
  if (out.size() == 4) return index;
  graph_.nodes[index].shape = {in[1], 1, 1};
  return append({.op = GraphOp::flatten}, value, {index});
}

std::size_t GraphReader::reshaped(const Value* value) {
  const auto* call = value->node();
  const auto in = sizes_of(call->input(0)), out = sizes_of(value);
  if (in == out) return pass_through(call);
  if (out.size() != 2 || out[0] != in[0]) refuse(call, "a change of shape other than flattening");
  const auto input = node_of(call->input(0));
  return append({.op = GraphOp::flatten}, value, {input});
}

void check_known(const Classifier& model) {
  if (model.network()) return;
  const auto state = model.state_dict();
  for (const auto& [key, tensor] : state)
    if (key == kProgramKey) return;
  throw OptionError(str("[model] ", model.info().name,
                        ": the layers of a callable are not known; "
                        "expected a built-in network or a .pt2 program"));
}

}  // namespace

Graph trace_graph(const Classifier& model) {
  check_known(model);
  const at::NoGradGuard no_grad;
  auto shape = model.info().input_shape;
  shape.insert(shape.begin(), 2);
  const auto x = at::full(shape, 0.5, at::TensorOptions(at::kFloat).device(model.device()));
  const auto forward = [&](torch::jit::Stack stack) -> torch::jit::Stack {
    return {model(stack.at(0).toTensor())};
  };
  const auto unnamed = [](const at::Tensor&) { return std::string(); };
  const auto [state, outputs] = torch::jit::tracer::trace({x}, forward, unnamed, false, true);
  const auto& traced = *state->graph;
  const auto* input = traced.inputs().at(traced.inputs().size() - 1);
  return GraphReader(model, input).read(traced.outputs().at(0));
}

}  // namespace namid::models
