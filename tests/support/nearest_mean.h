// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "namid/data/dataset.h"
#include "namid/models/registry.h"
#include "namid/models/weights.h"

namespace namid::testing {

/// Saves a linear model of the embedded data set: the logits are `scale` (2 m_c·x − ‖m_c‖²) with
/// the means m_c of the classes, so that the nearest mean wins; right for most images.
inline void save_means(const std::filesystem::path& file, double scale = 1) {
  const auto model = models::create(
      {.model = "sequential", .layers = "[[layer]]\ntype='flatten'\n[[layer]]\ntype='linear'\n"},
      {1, 28, 28}, 10);
  const auto train = data::load_dataset({.train_limit = 1000}, data::Part::train);
  const auto x = train.images.to(at::kFloat).flatten(1) / 255;
  for (const auto& [name, tensor] : model.state_dict()) {
    const at::NoGradGuard no_grad;
    for (std::int64_t c = 0; c < 10; ++c) {
      const auto mean = x.index({train.labels == c}).mean(0);
      const auto& row = tensor[c];
      row.copy_(scale * (tensor.dim() == 2 ? 2 * mean : -mean.square().sum()));
    }
  }
  models::save_model(file, model);
}

}  // namespace namid::testing
