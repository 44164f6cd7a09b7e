// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/weight_source.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <utility>

namespace namid::engine {
namespace {

constexpr std::int64_t kReadWhole = 4096, kSpread = 64;

void mix(std::uint64_t& hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15U;
  hash ^= hash >> 32;
}

/// Changes with the tensor's version and the values that are looked at.
void mix(std::uint64_t& hash, const at::Tensor& tensor) {
  const auto* bytes = static_cast<const char*>(tensor.const_data_ptr());
  if (!tensor.is_inference()) mix(hash, static_cast<std::uint64_t>(tensor._version()));
  if (!tensor.is_non_overlapping_and_dense()) return;
  const auto count = tensor.numel(), step = count > kReadWhole ? count / kSpread : 1;
  const auto size = std::min<std::size_t>(tensor.element_size(), sizeof(std::uint64_t));
  for (std::int64_t i = 0; i < count; i += step) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + i * tensor.element_size(), size);
    mix(hash, word);
  }
}

/// State by name; parameters as the model holds them, so that other memory given to one is seen.
std::map<std::string, at::Tensor> state_of(const models::Classifier& model) {
  std::map<const void*, at::Tensor> parameters;
  for (const auto& parameter : model.parameters())
    parameters[parameter.const_data_ptr()] = parameter;
  std::map<std::string, at::Tensor> state;
  for (const auto& [name, tensor] : model.state_dict()) {
    const auto held = parameters.find(tensor.const_data_ptr());
    state[name] = held == parameters.end() ? tensor : held->second;
  }
  return state;
}

at::Tensor as_copied(const at::Tensor& tensor, bool transposed) {
  const auto copy = tensor.detach().to(at::kCPU, at::kFloat);
  return (transposed ? copy.t() : copy).contiguous().clone();
}

}  // namespace

WeightSource::WeightSource(const models::Classifier& model, const models::Graph& graph) {
  using models::GraphNode;
  const std::pair<const char*, at::Tensor GraphNode::*> places[] = {
      {".weight", &GraphNode::weight},
      {".bias", &GraphNode::bias},
      {".running_mean", &GraphNode::mean},
      {".running_var", &GraphNode::variance}};
  const auto state = state_of(model);
  std::set<const void*> linked;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const auto& [suffix, place] : places) {
      const auto found = state.find(graph.nodes[i].name + suffix);
      const auto& copy = graph.nodes[i].*place;
      if (found == state.end() || !copy.defined()) continue;
      const auto& from = found->second;
      for (const bool transposed : {false, true}) {
        if (transposed && from.dim() != 2) continue;
        if (!at::equal(as_copied(from, transposed), copy)) continue;
        links_.push_back({from, i, place, transposed});
        linked.insert(from.const_data_ptr());
        break;
      }
    }
  }
  for (const auto& [name, tensor] : state)
    if (tensor.is_floating_point() && !linked.contains(tensor.const_data_ptr()))
      others_.push_back(tensor);
  change();
}

WeightSource::Change WeightSource::change() {
  std::uint64_t linked = 0, other = 0, memory = 0;
  const auto add = [&](std::uint64_t& hash, const at::Tensor& tensor) {
    mix(hash, tensor);
    mix(memory, reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr()));
  };
  for (const auto& link : links_) add(linked, link.from);
  for (const auto& tensor : others_) add(other, tensor);
  const bool links = std::exchange(linked_, linked) != linked;
  const bool others = std::exchange(other_, other) != other;
  const bool moved = std::exchange(memory_, memory) != memory;
  if (others || moved) return Change::unknown;
  return links ? Change::known : Change::none;
}

void WeightSource::refresh(models::Graph& graph) const {
  for (const auto& link : links_)
    graph.nodes[link.node].*link.to = as_copied(link.from, link.transposed);
}

}  // namespace namid::engine
