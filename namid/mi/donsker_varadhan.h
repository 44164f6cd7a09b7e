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
/// mean over locations, that of a batch the mean of all, and −loss is its *score* in nats: neither
/// a lower nor an upper bound of mutual information at finite N (row-wise DV is biased upwards and
/// unbounded).
at::Tensor donsker_varadhan(const at::Tensor& scores, DvMask mask = DvMask::exclude);

// The other forms in circulation. All are neither lower nor upper bounds at finite N, since the
// logarithm is taken of a finite mean; as N → ∞ they tend to the bound of Donsker & Varadhan 1983
// for the critic at hand.

/// WMIM's form (Zhu et al. 2020, released code), the negatives of all rows under one logarithm:
///   loss[i,k] = log Σ_{a≠b} exp u[a,b,k] − log(N(N−1)) − u[i,i,k]
/// Returns (N, K): the mean over i is that code's value per location, the mean of all its scalar.
/// With `multiply` the N own scores enter the sum as e⁰, as in that code.
at::Tensor donsker_varadhan_pooled(const at::Tensor& scores, DvMask mask = DvMask::exclude);

/// `dim_losses_post` of the released code, where every unit c is a critic of its own:
///   v_c[i,j] = G_{i,c} L_{j,c,k},  M = max of v_c with 10 taken off its diagonal,
///   loss[c,k] = log(Σ_{i≠j} exp(v_c[i,j] − M) + 1e-6) + M − log(N(N−1)) − (1/N) Σ_i v_c[i,i]
/// global: (N, U); local: (N, U, K), N ≥ 2. Returns (U, K); the code's scalar is the *sum* over
/// units. It exists there for K = 1 only; here each location is scored by itself.
at::Tensor donsker_varadhan_units(const at::Tensor& global, const at::Tensor& local);

/// The form of the original Deep InfoMax code (Hjelm et al. 2019):
///   M = max of u with 10 taken off the own pairs, c = N(N−1)K scores summed,
///   loss = log(Σ_{i≠j,k} exp(u[i,j,k] − M) + 1e-6) + M − log c − (1/NK) Σ_{i,k} u[i,i,k]
/// Scalar; one logarithm over all locations. For K > 1 the original's shapes do not fit.
at::Tensor donsker_varadhan_dim(const at::Tensor& scores);

}  // namespace namid::mi

namespace namid {
template <>
struct EnumNames<mi::DvMask> {
  static constexpr std::array kNames{"exclude", "multiply"};
};
}  // namespace namid
