// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "namid/core/options.h"

namespace namid::mi {

/// InfoNCE with the positive in the denominator (van den Oord et al. 2018, arXiv:1807.03748;
/// Poole et al. 2019, Sec. 2.3):
///   loss[i,k] = log( (1/N) Σ_j exp u[i,j,k] ) − u[i,i,k]
/// scores u: (N, N, K), N ≥ 2. Returns (N, K). −mean loss is a *lower* bound, in expectation and
/// at any finite N, of the mutual information of global vector and local features at location k
/// (mean over k: of the mean over locations, and so of the whole image), for a critic that was not
/// fitted to these samples. It is never above log N: values near it say "at least", no more.
at::Tensor info_nce(const at::Tensor& scores);

/// How the locations of the sample itself are kept out of its negatives. minus_ten: they stay in
/// the sum with a score of −10 (reference code); exclude: they do not enter.
enum class NceMask { minus_ten, exclude };

/// The form of the Deep InfoMax and NAMID code, negatives over all locations of the other images:
///   loss[i,k] = log( exp u[i,i,k] + Σ_{j≠i,k'} exp u[i,j,k'] + m ) − u[i,i,k]
/// with m = K e⁻¹⁰ (minus_ten) or 0 (exclude). Returns (N, K). Neither a lower nor an upper bound
/// of mutual information: no log of the number of candidates is added, and the negatives come from
/// other locations than the positive. For K = 1 and `exclude`, info_nce(u) = this − log N.
/// Memory is that of the scores; the code's expanded view of N·K·(N·K + 1) is not needed.
at::Tensor info_nce_locations(const at::Tensor& scores, NceMask mask = NceMask::exclude);

}  // namespace namid::mi

namespace namid {
template <>
struct EnumNames<mi::NceMask> {
  static constexpr std::array kNames{"minus-ten", "exclude"};
};
}  // namespace namid
