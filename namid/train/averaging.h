// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "namid/models/classifier.h"

namespace namid::train {

/// Exponential moving average of a model's weights, a model of its own in eval mode. After each
/// step: parameters a ← decay · a + (1 − decay) · w; buffers (BatchNorm statistics) are copied. It
/// starts from the weights it is made with, without bias correction.
class WeightAverage {
 public:
  /// decay in [0, 1).
  WeightAverage(double decay, const models::Classifier& model);
  void update(const models::Classifier& model);
  const models::Classifier& model() const { return average_; }

 private:
  double decay_;
  models::Classifier average_;
};

}  // namespace namid::train
