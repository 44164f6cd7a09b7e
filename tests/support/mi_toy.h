// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/mi/estimator.h"
#include "support/waves.h"

namespace namid::testing {

/// Estimators for 8x8 RGB images and 10 classes, frozen.
inline mi::EstimatorPair small_estimators(std::int64_t units = 16,
                                          at::ScalarType type = at::kDouble) {
  auto pair = mi::make_estimators(
      {.units = units, .num_classes = 10, .input_shape = {3, 8, 8}, .objective = "selected"}, 1);
  for (const auto& estimator : {pair.natural, pair.adversarial}) {
    estimator.to(type);
    estimator.freeze();
  }
  return pair;
}

/// The reference's formula-filled weights: the j-th parameter is base + 0.1 sin(0.37 n + j) if it
/// has one dimension (base 1 for "weight", 0 for "bias"), else sin(...) √(2 / fan-in).
inline void fill_by_formula(const TensorMap& net) {
  const at::NoGradGuard no_grad;
  int j = 0;
  for (const auto& [name, parameter] : net) {
    if (name.starts_with("layers.") || name.find("running_") != std::string::npos ||
        name.ends_with("num_batches_tracked"))
      continue;
    const auto v = wave({parameter.numel()}, 0.37, j++).view(parameter.sizes());
    const double fan_in = static_cast<double>(parameter.numel()) / parameter.size(0);
    parameter.copy_(parameter.dim() == 1 ? (name.ends_with("weight") ? 1 : 0) + 0.1 * v
                                         : v * std::sqrt(2 / fan_in));
  }
}

inline void fill_by_formula(const mi::Estimator& estimator) {
  for (const std::string net : {"local.", "global."}) {
    TensorMap state;
    for (const auto& [name, tensor] : estimator.state_dict())
      if (name.starts_with(net)) state.emplace_back(name.substr(net.size()), tensor);
    fill_by_formula(state);
  }
}

/// The reference's toy problem: a linear model of six 8x8 RGB images and ten classes, with
/// adversarial images of six sign steps, and formula-filled estimators of width 128.
struct MiToy {
  at::Tensor weight, x, x_adv, y = torch::tensor({9, 9, 7, 6, 8, 7});
  models::Classifier model;
  mi::EstimatorPair estimators;

  explicit MiToy(at::ScalarType type = at::kDouble)
      : weight((0.2 * wave({10, 192}, 0.37)).to(type).requires_grad_()),
        x(from_index({6, 3, 8, 8}, image).to(type)),
        x_adv(x),
        model([w = weight](const at::Tensor& images) { return images.flatten(1).matmul(w.t()); },
              {.name = "toy", .num_classes = 10, .input_shape = {3, 8, 8}}, {weight}),
        estimators(small_estimators(128, type)) {
    for (int step = 0; step < 6; ++step) {
      const auto point = x_adv.detach().clone().requires_grad_();
      const auto loss = at::cross_entropy_loss(model(point), y);
      const auto moved = point.detach() + 0.004 * torch::autograd::grad({loss}, {point})[0].sign();
      x_adv = at::minimum(at::maximum(moved, x - 8.0 / 255), x + 8.0 / 255).clamp(0, 1);
    }
    fill_by_formula(estimators.natural);
    fill_by_formula(estimators.adversarial);
  }
  static double image(double n) {
    return 0.5 + 0.5 * std::sin(0.13 * n + 0.002 * std::pow(n, 1.5));
  }
};

}  // namespace namid::testing
