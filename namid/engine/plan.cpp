// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/plan.h"

#include <ATen/Functions.h>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/copy_state.h"

namespace namid::engine {
namespace {

using models::GraphNode;
using models::GraphOp;

/// weight_c x + bias_c, in float64.
struct Affine {
  at::Tensor weight, bias;
};

Affine affine_of(const GraphNode& node) {
  if (node.op == GraphOp::affine) return {node.weight.to(at::kDouble), node.bias.to(at::kDouble)};
  const auto scale =
      node.weight.to(at::kDouble) / (node.variance.to(at::kDouble) + node.epsilon).sqrt();
  return {scale, node.bias.to(at::kDouble) - node.mean.to(at::kDouble) * scale};
}

/// Rows of `weight` times scale, each product rounded once.
at::Tensor scaled_rows(const at::Tensor& weight, const at::Tensor& scale) {
  auto scaled = at::empty_like(weight);
  const auto rows = weight.size(0), width = weight.numel() / rows;
  const auto* from = weight.const_data_ptr<float>();
  const auto* factors = scale.const_data_ptr<double>();
  auto* to = scaled.data_ptr<float>();
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t i = row * width; i < (row + 1) * width; ++i)
      to[i] = static_cast<float>(from[i] * factors[row]);
  return scaled;
}

/// Reads a graph from the images to the logits.
class Planner {
 public:
  explicit Planner(const models::Graph& graph) : graph_(graph), uses_(graph.nodes.size()) {
    for (const auto& node : graph.nodes)
      for (const auto input : node.inputs) ++uses_[input];
  }

  Plan plan() {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) step_of_.push_back(read(i));
    return ordered();
  }

 private:
  std::size_t read(std::size_t i);
  std::size_t append(std::size_t node, StepOp op);
  std::size_t product(std::size_t node, StepOp op);
  std::size_t affine(std::size_t node);
  std::size_t relu(std::size_t node);
  std::size_t sum(std::size_t node);
  std::size_t flatten(std::size_t node);
  /// The step of `node`'s input that an epilogue may be added to; nothing if it is read elsewhere.
  std::optional<std::size_t> open_step(std::size_t node, std::size_t which = 0) const;
  void visit(std::size_t step, std::vector<std::size_t>& order, std::vector<bool>& seen) const;
  Plan ordered() const;

  const models::Graph& graph_;
  std::vector<std::size_t> uses_;     // of nodes
  std::vector<std::size_t> step_of_;  // of nodes
  std::vector<Step> steps_;
};

std::size_t Planner::read(std::size_t i) {
  switch (graph_.nodes[i].op) {
    case GraphOp::input:
      return append(i, StepOp::images);
    case GraphOp::conv:
      return product(i, StepOp::convolution);
    case GraphOp::linear:
      return product(i, StepOp::linear);
    case GraphOp::affine:
    case GraphOp::batch_norm:
      return affine(i);
    case GraphOp::relu:
      return relu(i);
    case GraphOp::avg_pool:
      return append(i, StepOp::avg_pool);
    case GraphOp::max_pool:
      return append(i, StepOp::max_pool);
    case GraphOp::flatten:
      return flatten(i);
    case GraphOp::add:
      return sum(i);
  }
  throw std::logic_error("plan: unknown operation");
}

std::size_t Planner::append(std::size_t node, StepOp op) {
  const auto& from = graph_.nodes[node];
  const auto& shape = from.shape;
  if (shape.size() != 1 && shape.size() != 3)
    throw OptionError(str("[engine] ", describe_node(from), ": expected images or vectors, got ",
                          models::shape_text(shape)));
  Step step{.op = op,
            .name = from.name,
            .input = from.inputs.empty() ? 0 : step_of_[from.inputs[0]],
            .channels = shape[0],
            .window = from.window};
  if (shape.size() == 3) {
    step.height = shape[1];
    step.width = shape[2];
  }
  steps_.push_back(std::move(step));
  return steps_.size() - 1;
}

/// Columns of a linear layer that reads flattened images are put into the order of NHWC instead.
std::size_t Planner::product(std::size_t node, StepOp op) {
  const auto& from = graph_.nodes[node];
  const auto index = append(node, op);
  auto& step = steps_[index];
  step.weight = from.weight;
  step.bias = from.bias;
  const auto& before = steps_[step.input];
  if (op != StepOp::linear || before.op != StepOp::flatten || uses_[from.inputs[0]] != 1)
    return index;
  const auto& image = steps_[before.input];
  step.input = before.input;
  step.weight = from.weight.view({-1, image.channels, image.height, image.width})
                    .permute({0, 2, 3, 1})
                    .reshape(from.weight.sizes());
  return index;
}

std::optional<std::size_t> Planner::open_step(std::size_t node, std::size_t which) const {
  const auto input = graph_.nodes[node].inputs[which];
  const auto index = step_of_[input];
  const auto& step = steps_[index];
  const bool has_epilogue =
      step.op == StepOp::convolution || step.op == StepOp::linear || step.op == StepOp::pointwise;
  if (!has_epilogue || step.relu || uses_[input] != 1) return {};
  return index;
}

std::size_t Planner::affine(std::size_t node) {
  const auto [weight, bias] = affine_of(graph_.nodes[node]);
  const auto input = graph_.nodes[node].inputs[0];
  auto open = open_step(node);
  if (step_of_[input] == 0 && uses_[input] == 1) open = 0;
  const auto index = open && !steps_[*open].residual ? *open : append(node, StepOp::pointwise);
  auto& step = steps_[index];
  const auto before = step.bias.defined() ? step.bias.to(at::kDouble) * weight : at::Tensor();
  step.bias = (before.defined() ? before + bias : bias).to(at::kFloat);
  if (step.op == StepOp::convolution || step.op == StepOp::linear) {
    step.weight = scaled_rows(step.weight, weight);
  } else {
    step.weight =
        (step.weight.defined() ? step.weight.to(at::kDouble) * weight : weight).to(at::kFloat);
  }
  return index;
}

std::size_t Planner::relu(std::size_t node) {
  const auto open = open_step(node);
  const auto index = open ? *open : append(node, StepOp::pointwise);
  steps_[index].relu = true;
  return index;
}

/// The sum joins the larger convolution of the two, or whatever else ends in one of them.
std::size_t Planner::sum(std::size_t node) {
  std::optional<std::size_t> best;
  std::size_t other = 0;
  const auto kernel = [&](std::size_t step) {
    const auto& weight = steps_[step].weight;
    return weight.defined() && weight.dim() == 4 ? weight.size(2) * weight.size(3) : 0;
  };
  for (const std::size_t which : {0, 1}) {
    const auto open = open_step(node, which);
    if (!open || steps_[*open].residual) continue;
    if (best && kernel(*best) >= kernel(*open)) continue;
    best = open;
    other = step_of_[graph_.nodes[node].inputs[1 - which]];
  }
  if (!best) {
    best = append(node, StepOp::pointwise);
    other = step_of_[graph_.nodes[node].inputs[1]];
  }
  steps_[*best].residual = other;
  return *best;
}

std::size_t Planner::flatten(std::size_t node) {
  const auto input = graph_.nodes[node].inputs[0];
  const auto index = step_of_[input];
  const bool same = steps_[index].height * steps_[index].width == 1;
  return same && uses_[input] == 1 ? index : append(node, StepOp::flatten);
}

void Planner::visit(std::size_t step, std::vector<std::size_t>& order,
                    std::vector<bool>& seen) const {
  if (seen[step]) return;
  seen[step] = true;
  if (step > 0) visit(steps_[step].input, order, seen);
  if (steps_[step].residual) visit(*steps_[step].residual, order, seen);
  order.push_back(step);
}

/// A residual may have been read after the step that it joined.
Plan Planner::ordered() const {
  std::vector<std::size_t> order, place(steps_.size());
  std::vector<bool> seen(steps_.size());
  visit(step_of_.back(), order, seen);
  Plan plan;
  for (const auto index : order) {
    place[index] = plan.steps.size();
    auto step = steps_[index];
    step.input = place[step.input];
    if (step.residual) step.residual = place[*step.residual];
    plan.steps.push_back(std::move(step));
  }
  return plan;
}

}  // namespace

Plan make_plan(const models::Graph& graph) {
  return Planner(graph).plan();
}

}  // namespace namid::engine
