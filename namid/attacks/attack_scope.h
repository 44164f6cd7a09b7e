// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>

#include <memory>

#include "namid/models/classifier.h"

namespace namid::attacks {

/// Opened by public attack functions and by nobody else. While it lives, the model is in eval mode
/// with parameters that require no gradient, and the attack's own arithmetic records no graph;
/// `LossSurface` records the one it needs. The caller may be in any gradient or inference mode.
/// Everything is restored on any exit.
class AttackScope {
 public:
  explicit AttackScope(const models::Classifier& model)
      : inference_(false), no_graph_(false), frozen_(model.frozen_eval()) {}
  AttackScope(const AttackScope&) = delete;
  AttackScope& operator=(const AttackScope&) = delete;

 private:
  c10::InferenceMode inference_;  // first: it sets the gradient mode too
  c10::AutoGradMode no_graph_;
  std::shared_ptr<void> frozen_;
};

}  // namespace namid::attacks
