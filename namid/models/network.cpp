// SPDX-License-Identifier: Apache-2.0
#include "namid/models/network.h"

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/copy_state.h"
#include "namid/models/seeded_scope.h"

namespace namid::models {
namespace {

using torch::nn::Module;

void collect(const Module& module, const std::string& prefix, TensorMap& out) {
  for (const auto& p : module.named_parameters(false))
    out.emplace_back(prefix + p.key(), p.value().detach());
  for (const auto& b : module.named_buffers(false))
    out.emplace_back(prefix + b.key(), b.value().detach());
  for (const auto& child : module.named_children())
    collect(*child.value(), str(prefix, child.key(), "."), out);
}

class FrozenEval {
 public:
  explicit FrozenEval(std::shared_ptr<Network> network) : network_(std::move(network)) {
    for (const auto& module : network_->modules())
      modes_.emplace_back(module, module->is_training());
    for (const auto& p : network_->parameters()) grads_.emplace_back(p, p.requires_grad());
    network_->eval();
    for (auto& [p, was] : grads_) p.set_requires_grad(false);
  }
  FrozenEval(const FrozenEval&) = delete;
  FrozenEval& operator=(const FrozenEval&) = delete;
  ~FrozenEval() {
    // train() recurses; modules() lists parents before children, so the children have the last
    // word.
    for (auto& [module, was] : modes_) module->train(was);
    for (auto& [p, was] : grads_) p.set_requires_grad(was);
  }

 private:
  std::shared_ptr<Network> network_;
  std::vector<std::pair<std::shared_ptr<Module>, bool>> modes_;
  std::vector<std::pair<at::Tensor, bool>> grads_;
};

TensorMap without_aliases(const Network& network, TensorMap state) {
  for (const auto& alias : network.aliases())
    for (auto& [name, tensor] : state)
      if (name.starts_with(alias.name + ".")) name.replace(0, alias.name.size(), alias.of);
  TensorMap unique;
  for (auto& [name, tensor] : state) {
    const auto same = [&](const auto& entry) { return entry.first == name; };
    const auto seen = std::find_if(unique.begin(), unique.end(), same);
    if (seen == unique.end())
      unique.emplace_back(name, tensor);
    else if (!at::equal(seen->second, tensor))
      throw DataError(str("state dict: ", name, " is there twice, with different values"));
  }
  return unique;
}

TensorMap own_state(const Network& network) {
  TensorMap out;
  collect(network, "", out);
  return out;
}

}  // namespace

std::shared_ptr<Network> Network::build_again() const {
  throw OptionError("[model] clone: this network does not know how to build itself again");
}

void Network::check_layer(Layer layer) const {
  if (!has_layer(layer))
    throw OptionError("[model] layer: expected logits, the only layer of this network");
}

TensorMap state_dict(const Network& network) {
  TensorMap out;
  for (const auto& p : network.named_parameters(false))
    out.emplace_back(p.key(), p.value().detach());
  for (const auto& b : network.named_buffers(false)) out.emplace_back(b.key(), b.value().detach());
  const auto children = network.named_children();
  for (const auto& child : children) {
    collect(*child.value(), child.key() + ".", out);
    for (const auto& alias : network.aliases())
      if (alias.after == child.key()) collect(*children[alias.of], alias.name + ".", out);
  }
  return out;
}

void load_state_dict(const Network& network, const TensorMap& state) {
  if (network.aliases().empty())
    copy_state(own_state(network), state);
  else
    copy_state(own_state(network), without_aliases(network, state));
}

std::shared_ptr<Network> deep_copy(const Network& network) {
  std::shared_ptr<Network> copy;
  {
    const SeededScope keeps_the_callers_generator(0);
    copy = network.build_again();
  }
  const auto copy_tensors = [](const auto& from, const auto& to) {
    for (std::size_t i = 0; i < from.size(); ++i) {
      at::Tensor target = to[i];
      target.set_data(from[i].detach().clone());
      target.set_requires_grad(from[i].requires_grad());
    }
  };
  copy_tensors(network.parameters(), copy->parameters());
  copy_tensors(network.buffers(), copy->buffers());
  const auto from = network.modules(false), to = copy->modules(false);
  copy->train(network.is_training());
  for (std::size_t i = 0; i < from.size(); ++i) to[i]->train(from[i]->is_training());
  return copy;
}

std::shared_ptr<void> frozen_eval(const std::shared_ptr<Network>& network) {
  return std::make_shared<FrozenEval>(network);
}

}  // namespace namid::models
