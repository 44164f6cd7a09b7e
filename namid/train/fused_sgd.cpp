// SPDX-License-Identifier: Apache-2.0
#include "namid/train/fused_sgd.h"

#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/empty_like.h>

#include <vector>

namespace namid::train {
namespace {

/// Weights that share options and have a momentum, or have none yet.
struct Lists {
  std::vector<at::Tensor> weights, gradients, momenta;

  void step(const torch::optim::SGDOptions& options, bool first) const {
    if (!weights.empty())
      at::_fused_sgd_(weights, gradients, momenta, options.weight_decay(), options.momentum(),
                      options.lr(), options.dampening(), options.nesterov(), /*maximize=*/false,
                      first);
  }
};

/// All elements in the order in which they lie in memory: kernels take tensors of one layout.
at::Tensor in_memory(const at::Tensor& dense) {
  return dense.as_strided({dense.numel()}, {1});
}

/// Of weight's shape.
at::Tensor laid_out_as(const at::Tensor& weight, const at::Tensor& values) {
  if (values.strides() == weight.strides()) return values;
  return at::empty_like(weight, weight.options().requires_grad(false)).copy_(values);
}

/// The weight's momentum and whether it is new.
std::pair<at::Tensor, bool> momentum_of(torch::optim::SGD& optimizer, const at::Tensor& weight) {
  auto& entry = optimizer.state()[weight.unsafeGetTensorImpl()];
  if (!entry) entry = std::make_unique<torch::optim::SGDParamState>();
  auto& state = static_cast<torch::optim::SGDParamState&>(*entry);
  const bool is_new = !state.momentum_buffer().defined();
  if (is_new)
    state.momentum_buffer(at::empty_like(weight, weight.options().requires_grad(false)));
  else if (state.momentum_buffer().strides() != weight.strides())
    state.momentum_buffer(laid_out_as(weight, state.momentum_buffer()));
  return {state.momentum_buffer(), is_new};
}

}  // namespace

void fused_step(torch::optim::SGD& optimizer) {
  const at::NoGradGuard no_grad;
  for (auto& group : optimizer.param_groups()) {
    const auto& options = static_cast<const torch::optim::SGDOptions&>(group.options());
    Lists first, later;
    for (const auto& weight : group.params()) {
      if (!weight.grad().defined()) continue;
      TORCH_INTERNAL_ASSERT(weight.is_non_overlapping_and_dense());
      auto* lists = &first;
      if (options.momentum() != 0) {
        const auto [momentum, is_new] = momentum_of(optimizer, weight);
        if (!is_new) lists = &later;
        lists->momenta.push_back(in_memory(momentum));
      }
      lists->weights.push_back(in_memory(weight));
      lists->gradients.push_back(in_memory(laid_out_as(weight, weight.grad())));
    }
    first.step(options, true);
    later.step(options, false);
  }
}

}  // namespace namid::train
