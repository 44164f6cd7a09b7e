// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include "namid/core/format.h"
#include "namid/models/graph.h"
#include "namid/models/registry.h"

namespace namid::certify {

inline const std::string kConvNet = R"(
[[layer]]
type = "conv"
channels = 4
stride = 2
padding = 1
[[layer]]
type = "batchnorm"
[[layer]]
type = "relu"
[[layer]]
type = "conv"
channels = 5
kernel = 2
[[layer]]
type = "relu"
[[layer]]
type = "flatten"
[[layer]]
type = "linear"
features = 9
[[layer]]
type = "batchnorm"
[[layer]]
type = "relu"
[[layer]]
type = "linear"
)";

inline const std::string kPreactivated = R"(
[[layer]]
type = "batchnorm"
[[layer]]
type = "conv"
channels = 3
padding = 1
[[layer]]
type = "batchnorm"
[[layer]]
type = "conv"
channels = 4
stride = 2
[[layer]]
type = "relu"
[[layer]]
type = "flatten"
[[layer]]
type = "batchnorm"
[[layer]]
type = "linear"
)";

inline const std::string kPooled = R"(
[[layer]]
type = "conv"
channels = 6
padding = 1
[[layer]]
type = "relu"
[[layer]]
type = "avgpool"
kernel = 2
stride = 2
padding = 1
[[layer]]
type = "conv"
channels = 4
kernel = 2
[[layer]]
type = "relu"
[[layer]]
type = "global_avgpool"
[[layer]]
type = "flatten"
[[layer]]
type = "linear"
)";

/// A network with drawn weights whose vectors and statistics are those of no fresh one.
inline models::Classifier trained_like(const models::ModelOptions& options,
                                       const std::vector<std::int64_t>& shape,
                                       std::int64_t classes = 5, std::uint64_t seed = 3) {
  const auto model = models::create(options, shape, classes, seed);
  const at::NoGradGuard no_grad;
  int j = 0;
  for (auto [name, tensor] : model.state_dict()) {
    if (!tensor.is_floating_point() || tensor.dim() != 1) continue;
    const auto wave = (at::arange(tensor.numel()) * 0.7 + j++).sin().to(tensor.scalar_type());
    tensor.copy_(name.ends_with("weight") || name.ends_with("var") ? 1 + 0.3 * wave : 0.2 * wave);
  }
  model.train(false);
  return model;
}

/// Images in [0,1], float64, some at its ends.
inline at::Tensor images_for(const models::Classifier& model, std::int64_t count) {
  auto shape = model.info().input_shape;
  shape.insert(shape.begin(), count);
  const auto wave = at::arange(c10::multiply_integers(shape), at::kDouble) * 1.7;
  return (0.5 + 0.6 * wave.sin()).clamp(0, 1).to(at::kFloat).to(at::kDouble).view(shape);
}

}  // namespace namid::certify
