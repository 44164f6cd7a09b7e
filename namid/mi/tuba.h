// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace namid::mi {

/// Tractable unnormalised Barber-Agakov bound (Poole et al. 2019, arXiv:1905.06922, Sec. 2.2):
///   loss[i,k] = mean_{j≠i} exp(u[i,j,k] − b[i,k]) − 1 − (u[i,i,k] − b[i,k])
/// scores u: (N, N, K), N ≥ 2; log_baseline b = log a(G_i), free to depend on the row i alone: (N),
/// (N, 1) or (N, K), or a scalar. Returns (N, K). −mean loss is a *lower* bound of mutual
/// information in expectation at any N ≥ 2, for critic and baseline not fitted to these samples;
/// unbiased for the bound at hand, so without a ceiling, but its variance grows with e^(MI).
/// Scores far above the baseline overflow to +inf, which is returned. OptionError for shapes.
at::Tensor tuba(const at::Tensor& scores, const at::Tensor& log_baseline);

/// Nguyen, Wainwright & Jordan 2010 (arXiv:0809.0853), the f-divergence form of the bound: `tuba`
/// with the constant baseline e,
///   loss[i,k] = mean_{j≠i} exp(u[i,j,k] − 1) − u[i,i,k]
/// A *lower* bound in expectation at any N ≥ 2.
at::Tensor nwj(const at::Tensor& scores);

}  // namespace namid::mi
