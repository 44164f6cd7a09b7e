// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/adam.h"

#include <cmath>

namespace namid::attacks {

void Adam::step(at::Tensor& point, const at::Tensor& gradient) {
  constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;
  if (!mean_.defined()) {
    mean_ = at::zeros_like(point);
    square_ = at::zeros_like(point);
  }
  ++count_;
  mean_.mul_(kBeta1).add_(gradient, 1 - kBeta1);
  square_.mul_(kBeta2).addcmul_(gradient, gradient, 1 - kBeta2);
  const double correction1 = 1 - std::pow(kBeta1, count_);
  const double correction2 = 1 - std::pow(kBeta2, count_);
  const auto denominator = square_.sqrt().div_(std::sqrt(correction2)).add_(kEpsilon);
  point.addcdiv_(mean_, denominator, -step_size_ / correction1);
}

}  // namespace namid::attacks
