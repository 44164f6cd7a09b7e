// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cmath>

#include "namid/core/format.h"
#include "namid/models/network.h"

namespace namid::models {

/// Fills parameter j, flat index n, with v = sin(0.37 n + j): vectors 1 + 0.1 v (weights) or 0.1 v,
/// others v * sqrt(2 / (elements per output)); float64.
inline void fill_by_formula(Network& network) {
  const torch::NoGradGuard no_grad;
  network.to(torch::kDouble);
  int j = 0;
  for (const auto& entry : network.named_parameters()) {
    auto p = entry.value();
    auto v = (torch::arange(p.numel(), torch::kDouble) * 0.37 + j++).sin().view(p.sizes());
    if (p.dim() == 1)
      v = (entry.key().ends_with("weight") ? 1.0 : 0.0) + 0.1 * v;
    else
      v = v * std::sqrt(2.0 * static_cast<double>(p.size(0)) / static_cast<double>(p.numel()));
    p.copy_(v);
  }
}

/// 0.5 + 0.5 sin(0.013 n), float64.
inline at::Tensor golden_wave(at::IntArrayRef shape) {
  const auto count = c10::multiply_integers(shape);
  return ((torch::arange(count, torch::kDouble) * 0.013).sin() * 0.5 + 0.5).view(shape);
}

/// Expects the first values of `actual` (flattened) and records the largest deviation.
inline void expect_values(const std::string& name, const at::Tensor& actual,
                          const std::vector<double>& expected, double tolerance) {
  const auto flat = actual.detach().flatten().contiguous();
  ASSERT_GE(flat.numel(), static_cast<std::int64_t>(expected.size()));
  double largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    largest = std::max(largest, std::abs(flat.data_ptr<double>()[i] - expected[i]));
  ::testing::Test::RecordProperty(name, shortest(largest));
  EXPECT_LE(largest, tolerance) << name << "\n" << flat.slice(0, 0, 4);
}

}  // namespace namid::models
