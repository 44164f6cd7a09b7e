// SPDX-License-Identifier: Apache-2.0
#include "namid/train/optimizer_state.h"

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::train {
namespace {

template <class State>
const State* state_of(const torch::optim::Optimizer& optimizer, const at::Tensor& parameter) {
  const auto entry = optimizer.state().find(parameter.unsafeGetTensorImpl());
  return entry == optimizer.state().end() ? nullptr
                                          : static_cast<const State*>(entry->second.get());
}

/// A copy in the parameter's own memory order, so that a resumed step computes as before.
at::Tensor restored(const TensorMap& state, const std::string& name, const at::Tensor& parameter) {
  const auto found = find_tensor(state, name);
  if (!found.defined()) throw DataError(str("optimiser state: ", name, " is missing"));
  if (found.sizes() != parameter.sizes() || found.scalar_type() != parameter.scalar_type())
    throw DataError(str("optimiser state: ", name, " has another shape or type than its weight"));
  auto copy = at::empty_like(parameter, parameter.options().requires_grad(false));
  return copy.copy_(found);
}

std::int64_t restored_step(const TensorMap& state, const std::string& name) {
  const auto found = find_tensor(state, name);
  if (!found.defined() || found.numel() != 1 || found.scalar_type() != at::kLong)
    throw DataError(str("optimiser state: ", name, ": expected one whole number"));
  return found.item<std::int64_t>();
}

void check_used(std::size_t used, const TensorMap& state) {
  if (used != state.size())
    throw DataError(str("optimiser state: ", state.size(), " entries, of which ",
                        state.size() - used, " belong to no weight of this model"));
}

}  // namespace

TensorMap optimizer_state(const torch::optim::SGD& optimizer, const TensorMap& parameters) {
  TensorMap tensors;
  for (const auto& [name, parameter] : parameters) {
    const auto* state = state_of<torch::optim::SGDParamState>(optimizer, parameter);
    if (state != nullptr && state->momentum_buffer().defined())
      tensors.emplace_back(name + ".momentum_buffer", state->momentum_buffer());
  }
  return tensors;
}

TensorMap optimizer_state(const torch::optim::Adam& optimizer, const TensorMap& parameters) {
  TensorMap tensors;
  for (const auto& [name, parameter] : parameters) {
    const auto* state = state_of<torch::optim::AdamParamState>(optimizer, parameter);
    if (state == nullptr) continue;
    tensors.emplace_back(name + ".exp_avg", state->exp_avg());
    tensors.emplace_back(name + ".exp_avg_sq", state->exp_avg_sq());
    tensors.emplace_back(name + ".step", at::scalar_tensor(state->step(), at::kLong));
  }
  return tensors;
}

void load_optimizer_state(torch::optim::SGD& optimizer, const TensorMap& parameters,
                          const TensorMap& state) {
  optimizer.state().clear();
  std::size_t used = 0;
  for (const auto& [name, parameter] : parameters) {
    if (!find_tensor(state, name + ".momentum_buffer").defined()) continue;
    auto entry = std::make_unique<torch::optim::SGDParamState>();
    entry->momentum_buffer(restored(state, name + ".momentum_buffer", parameter));
    optimizer.state()[parameter.unsafeGetTensorImpl()] = std::move(entry);
    used += 1;
  }
  check_used(used, state);
}

void load_optimizer_state(torch::optim::Adam& optimizer, const TensorMap& parameters,
                          const TensorMap& state) {
  optimizer.state().clear();
  std::size_t used = 0;
  for (const auto& [name, parameter] : parameters) {
    if (!find_tensor(state, name + ".step").defined()) continue;
    auto entry = std::make_unique<torch::optim::AdamParamState>();
    entry->step(restored_step(state, name + ".step"));
    entry->exp_avg(restored(state, name + ".exp_avg", parameter));
    entry->exp_avg_sq(restored(state, name + ".exp_avg_sq", parameter));
    optimizer.state()[parameter.unsafeGetTensorImpl()] = std::move(entry);
    used += 3;
  }
  check_used(used, state);
}

void set_learning_rate(torch::optim::Optimizer& optimizer, double lr) {
  for (auto& group : optimizer.param_groups()) group.options().set_lr(lr);
}

}  // namespace namid::train
