// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/Functions.h>
#include <torch/csrc/autograd/autograd.h>

#include "namid/engine/convolution.h"
#include "namid/models/registry.h"

namespace namid::engine {

/// A network and a batch of it.
struct NetworkCase {
  std::string model;
  std::int64_t width;
  std::vector<std::int64_t> shape = {3, 32, 32};
  Kernel kernel = Kernel::automatic;
  std::int64_t rows = 3;
};

/// Weights and statistics that are those of no fresh network: what a fold leaves out shows.
inline models::Classifier unlike_fresh(const models::ModelOptions& options,
                                       const std::vector<std::int64_t>& shape = {3, 32, 32}) {
  const auto model = models::create(options, shape, 10, 5);
  const at::NoGradGuard no_grad;
  int j = 0;
  for (auto [name, tensor] : model.state_dict()) {
    if (!tensor.is_floating_point() || tensor.dim() != 1) continue;
    const auto wave = (at::arange(tensor.numel(), at::kFloat) * 0.7 + j++).sin();
    tensor.copy_(name.ends_with("weight") || name.ends_with("var") ? 1 + 0.3 * wave : 0.2 * wave);
  }
  model.train(false);
  return model;
}

/// Deterministic images in [0,1], unlike each other.
inline at::Tensor images(std::int64_t rows, std::vector<std::int64_t> shape, double phase = 0) {
  shape.insert(shape.begin(), rows);
  const auto count = c10::multiply_integers(shape);
  return (at::arange(count, at::kDouble) * 0.6180339887498949 + phase)
      .frac()
      .to(at::kFloat)
      .view(shape);
}

/// A direction of logits, so that sum(direction · logits) has a gradient to compare.
inline at::Tensor direction(std::int64_t rows, std::int64_t classes, double phase = 0.3) {
  return (at::arange(rows * classes, at::kFloat) * 1.7 + phase).sin().view({rows, classes});
}

struct Passed {
  at::Tensor logits, gradient;
};

/// Logits and input gradient of sum(direction · logits), by autograd.
inline Passed pass(const models::Classifier& model, const at::Tensor& x,
                   const at::Tensor& direction) {
  const c10::AutoGradMode with_graph(true);
  const auto leaf = x.detach().clone().requires_grad_(true);
  const auto logits = model(leaf);
  const auto gradient = torch::autograd::grad({(logits * direction).sum()}, {leaf}).front();
  return {logits.detach(), gradient};
}

inline double relative_gap(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

/// Smallest cosine of two batches' rows.
inline double cosine(const at::Tensor& a, const at::Tensor& b) {
  const auto u = a.flatten(1).to(at::kDouble), v = b.flatten(1).to(at::kDouble);
  return ((u * v).sum(1) / (u.norm(2, 1) * v.norm(2, 1))).min().item<double>();
}

}  // namespace namid::engine
