// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "namid/attacks/attack.h"
#include "namid/core/error.h"
#include "support/errors.h"

namespace namid::attacks {

using Shape = std::vector<std::int64_t>;

/// scale * sin(step * k + shift) for k = 0, 1, ... in the given shape, computed in float64.
inline at::Tensor wave(const Shape& shape, double scale, double step, double shift = 0) {
  std::int64_t count = 1;
  for (const auto size : shape) count *= size;
  const auto k = at::arange(count, at::kDouble);
  return ((k * step + shift).sin() * scale).to(at::kFloat).view(shape);
}

/// Images in [0,1] that touch neither end of the box (range: half the width).
inline at::Tensor images(std::int64_t count, Shape shape, double range = 0.5, double step = 0.13) {
  shape.insert(shape.begin(), count);
  return wave(shape, range, step) + 0.5;
}

inline at::Tensor doubles(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble);
}

inline std::int64_t entries(const Shape& shape) {
  std::int64_t count = 1;
  for (const auto size : shape) count *= size;
  return count;
}

/// logits = flatten(x) Wᵀ + b, W: (C, d).
inline Classifier linear(const at::Tensor& weight, const at::Tensor& bias, const Shape& shape) {
  return Classifier([=](const at::Tensor& x) { return at::linear(x.flatten(1), weight, bias); },
                    {.name = "linear", .num_classes = weight.size(0), .input_shape = shape},
                    {weight, bias});
}

/// The ten-class linear model on 8x8 RGB of the golden values.
inline Classifier golden_linear() {
  return linear(wave({10, 192}, 0.2, 0.37), at::zeros({10}), {3, 8, 8});
}

/// A smooth network with one hidden layer.
inline Classifier curved(const Shape& shape, std::int64_t classes = 4) {
  const auto first = wave({6, entries(shape)}, 1.5, 0.41, 0.2);
  const auto second = wave({classes, 6}, 2, 0.9, 1);
  return Classifier(
      [=](const at::Tensor& x) {
        return at::linear(at::tanh(at::linear(x.flatten(1) - 0.5, first)), second);
      },
      {.name = "curved", .num_classes = classes, .input_shape = shape}, {first, second});
}

/// Labels 0, 1, ..., classes-1, 0, ...: some right, some wrong.
inline at::Tensor labels(std::int64_t count, std::int64_t classes) {
  return at::arange(count, at::kLong) % classes;
}

inline bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() &&
         at::equal(a.contiguous().view(at::kInt), b.contiguous().view(at::kInt));
}

/// Each value within `relative` of the expected one.
inline void expect_values(const at::Tensor& got, const std::vector<double>& expected,
                          double relative) {
  const auto values = got.to(at::kDouble);
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(values[static_cast<std::int64_t>(i)].item<double>(), expected[i],
                relative * std::abs(expected[i]))
        << "sample " << i;
}

template <class Error = OptionError>
std::string message_of(const std::function<void()>& action) {
  return testing::message_of<Error>(action);
}

constexpr Norm kNorms[]{Norm::linf, Norm::l2, Norm::l1};

/// Such a model computed in float64, whose float32 logits hang on no neighbour in the batch.
inline Classifier curved_in_float64(const Shape& shape) {
  const auto first = wave({6, entries(shape)}, 1.5, 0.41, 0.2).to(at::kDouble);
  const auto second = wave({4, 6}, 2, 0.9, 1).to(at::kDouble);
  return Classifier(
      [=](const at::Tensor& x) {
        const auto hidden = at::tanh(at::linear(x.to(at::kDouble).flatten(1) - 0.5, first));
        return at::linear(hidden, second).to(at::kFloat);
      },
      {.name = "float64", .num_classes = 4, .input_shape = shape});
}

}  // namespace namid::attacks
