// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace namid::mi {

/// Maps every coordinate of vectors to normal scores: the m-th of n sorted sample values goes to
/// Φ⁻¹((m − ½)/n), values between two of them linearly, values beyond the ends to the ends.
/// Strictly increasing inside the sample's range, so that mutual information stays; the clipped
/// ends can only lower it (data processing), so that a lower bound stays one.
class NormalScores {
 public:
  /// sample: (n, d), n ≥ 2. OptionError otherwise.
  explicit NormalScores(const at::Tensor& sample);
  at::Tensor operator()(const at::Tensor& vectors) const;  ///< (N, d) → (N, d)

 private:
  at::Tensor knots_, levels_;  ///< (d, n) increasing along n; (n)
};

struct VectorCriticShape {
  std::int64_t x_size = 0, y_size = 0;
  std::int64_t hidden = 128;     ///< ReLU units of each side
  std::int64_t embedding = 128;  ///< E
};

/// Separable critic for vectors, u[i,j] = ⟨g(y_i), h(x_j)⟩ / √E: each side one hidden layer of ReLU
/// beside a linear shortcut. The shape of `score_tensor`, with one location.
class VectorCritic {
 public:
  /// Weights are drawn from `seed` alone.
  VectorCritic(const VectorCriticShape& shape, std::uint64_t seed);
  at::Tensor scores(const at::Tensor& x, const at::Tensor& y) const;  ///< (N, N, 1)
  std::vector<at::Tensor> parameters() const;
  void to(const at::Device& device);

 private:
  struct Side {
    at::Tensor first, first_bias, second, second_bias, shortcut;
  };
  static Side make_side(std::int64_t inputs, const VectorCriticShape& shape);
  static at::Tensor embed(const Side& side, const at::Tensor& v);
  Side x_, y_;
};

}  // namespace namid::mi
