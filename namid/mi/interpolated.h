// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace namid::mi {

/// The bound between TUBA (alpha 0) and InfoNCE (alpha 1) of Poole et al. 2019 (arXiv:1905.06922,
/// Sec. 2.4). With m_l[i,k] = (1/(N−1)) Σ_{j≠l} exp u[i,j,k], the mean score of row i without image
/// l, and the mixed baseline a_l = alpha m_l + (1 − alpha) exp b:
///   loss[i,k] = mean_{j≠i} exp u[i,j,k] / a_i[i,k] − 1
///               − mean_{l≠i} ( u[i,i,k] − log a_l[i,k] )
/// scores u: (N, N, K), N ≥ 2; log_baseline b as in `tuba`; alpha in [0, 1]. Returns (N, K).
/// −mean loss is a *lower* bound of mutual information in expectation at finite N: both terms use
/// N − 1 images, as the proof asks, by leaving out one image l ≠ i in the first expectation and the
/// own image in the second. It is at most log(N−1) − log alpha; at alpha 1 it is InfoNCE of N − 1
/// images, at alpha 0 `tuba`. OptionError for alpha out of range and for shapes.
at::Tensor interpolated(const at::Tensor& scores, const at::Tensor& log_baseline, double alpha);

}  // namespace namid::mi
