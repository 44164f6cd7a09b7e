// SPDX-License-Identifier: Apache-2.0
#include "namid/models/outputs.h"

namespace namid::models {

Classifier with_logits(const Classifier& model, Outputs outputs) {
  if (outputs == Outputs::logits) return model;
  constexpr double kSmallest = 1e-38;
  model.train(false);
  auto info = model.info();
  info.mean = {};  // `model` normalises by itself
  info.std = {};
  info.recipe = {};
  return Classifier([model](const at::Tensor& x) { return model(x).clamp_min(kSmallest).log(); },
                    std::move(info), model.parameters());
}

}  // namespace namid::models
