// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace namid::attacks {

/// Adam, Kingma & Ba 2015 (arXiv:1412.6980, kingma2015), Algorithm 1, for one tensor: β 0.9 and
/// 0.999, ε 1e-8.
class Adam {
 public:
  explicit Adam(double step_size) : step_size_(step_size) {}

  /// Moves `point`, float32 without graph, against `gradient` in place.
  void step(at::Tensor& point, const at::Tensor& gradient);

 private:
  double step_size_;
  int count_ = 0;
  at::Tensor mean_, square_;
};

}  // namespace namid::attacks
