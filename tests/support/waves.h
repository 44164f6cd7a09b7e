// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/types.h>

#include <functional>
#include <numeric>
#include <vector>

namespace namid::testing {

/// float64 tensor f(0), f(1), ... in row-major order.
inline at::Tensor from_index(std::vector<std::int64_t> shape,
                             const std::function<double(double)>& f) {
  const auto count =
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
  std::vector<double> values;
  for (std::int64_t n = 0; n < count; ++n) values.push_back(f(static_cast<double>(n)));
  return torch::tensor(values, at::kDouble).view(shape);
}

/// sin(step * n + phase): numbers without a pattern that matters, the same everywhere.
inline at::Tensor wave(std::vector<std::int64_t> shape, double step, double phase = 0) {
  return from_index(std::move(shape), [=](double n) { return std::sin(step * n + phase); });
}

inline double value(const at::Tensor& scalar) {
  return scalar.item<double>();
}

inline std::vector<std::int64_t> list(const at::Tensor& integers) {
  const auto flat = integers.to(at::kLong).contiguous();
  return {flat.data_ptr<std::int64_t>(), flat.data_ptr<std::int64_t>() + flat.numel()};
}

/// Largest deviation of two tensors.
inline double deviation(const at::Tensor& a, const at::Tensor& b) {
  return (a.detach().to(at::kDouble) - b.detach().to(at::kDouble)).abs().max().item<double>();
}

/// Largest deviation of the gradient of a scalar function at `point` (float64) from its central
/// differences.
inline double gradient_error(const std::function<at::Tensor(const at::Tensor&)>& f,
                             const at::Tensor& point, double step = 1e-6) {
  const at::Tensor x = point.detach().clone().requires_grad_();
  const at::Tensor gradient = torch::autograd::grad({f(x)}, {x})[0];
  at::Tensor numeric = at::zeros_like(point);
  const at::NoGradGuard no_grad;
  const at::Tensor moved = point.detach().clone().contiguous();
  auto* entry = moved.data_ptr<double>();
  auto* out = numeric.data_ptr<double>();
  for (std::int64_t i = 0; i < point.numel(); ++i) {
    const double was = entry[i];
    entry[i] = was + step;
    const double up = f(moved).item<double>();
    entry[i] = was - step;
    const double down = f(moved).item<double>();
    entry[i] = was;
    out[i] = (up - down) / (2 * step);
  }
  return deviation(gradient, numeric);
}

}  // namespace namid::testing
