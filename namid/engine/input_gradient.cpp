// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/input_gradient.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include "namid/engine/micro_batches.h"

namespace namid::engine {
namespace {

using torch::autograd::variable_list;

struct InputGradient final : torch::autograd::Node {
  InputGradient(std::shared_ptr<const Network> by, models::Classifier of)
      : network(std::move(by)), model(std::move(of)) {}

  variable_list apply(variable_list&& gradients) override {
    TORCH_CHECK(network,
                "the graph of these logits is gone: backward with retain_graph to go back "
                "through it again");
    if (!gradients[0].defined()) return {at::Tensor()};
    if (at::GradMode::is_enabled()) return by_model(gradients[0]);
    const auto images = x.unpack().detach().contiguous();
    return {input_gradient_in_pieces(*network, images, traces, gradients[0].to(at::kFloat))
                .view(images.sizes())};
  }

  /// With a graph of its own.
  variable_list by_model(const at::Tensor& gradient) const {
    const auto images = x.unpack();
    return torch::autograd::grad({model(images)}, {images}, {gradient}, true, true);
  }

  void release_variables() override {
    network.reset();
    traces.clear();
    x.reset_data();
  }
  std::string name() const override { return "NamidInputGradient"; }

  std::shared_ptr<const Network> network;
  models::Classifier model;
  std::vector<Trace> traces;
  torch::autograd::SavedVariable x;
};

}  // namespace

at::Tensor logits_of(std::shared_ptr<const Network> network, const models::Classifier& model,
                     const at::Tensor& x) {
  const bool graph = at::GradMode::is_enabled() && x.requires_grad();
  c10::intrusive_ptr<InputGradient> node;
  if (graph) {
    node = c10::make_intrusive<InputGradient>(network, model);
    node->set_next_edges(torch::autograd::collect_next_edges(x));
    node->x = torch::autograd::SavedVariable(x, false);
  }
  at::Tensor logits;
  {
    const at::NoGradGuard inside;
    logits = forward_in_pieces(*network, x.detach().contiguous(), graph ? &node->traces : nullptr);
  }
  if (graph) torch::autograd::set_history(logits, node);
  return logits;
}

}  // namespace namid::engine
