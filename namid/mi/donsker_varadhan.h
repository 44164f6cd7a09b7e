// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "namid/core/options.h"

namespace namid::mi {

/// How a sample is kept out of its own negatives. exclude: its score counts as minus infinity;
/// multiply: its score counts as 0, so that e⁰ enters the sum (reference code).
enum class DvMask { exclude, multiply };

/// Row-wise Donsker-Varadhan loss as NAMID trains with it (released code, per sample i and
/// location k):
///   loss[i,k] = log Σ_{j≠i} exp u[i,j,k] − log(N−1) − u[i,i,k]
/// scores u: (N, N, K), N ≥ 2, from `score_tensor`. Returns (N, K); the loss of a sample is its
/// mean over locations, and −loss is its *score* in nats: neither a lower nor an upper bound of
/// mutual information at finite N (row-wise DV is biased upwards and unbounded).
at::Tensor donsker_varadhan(const at::Tensor& scores, DvMask mask = DvMask::exclude);

}  // namespace namid::mi

namespace namid {
template <>
struct EnumNames<mi::DvMask> {
  static constexpr std::array kNames{"exclude", "multiply"};
};
}  // namespace namid
