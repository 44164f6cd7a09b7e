// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace namid::mi {

/// CLUB, the contrastive log-ratio upper bound (Cheng et al. 2020, arXiv:2006.12013):
///   value[i] = log p(y_i|x_i) − mean_{j≠i} log p(y_i|x_j)
/// log_density: (N, N), the entry [i,j] = log p(y_i|x_j), N ≥ 2. Returns (N) values in nats, not
/// losses. With the *known* conditional density their mean is an *upper* bound of I(X;Y) in
/// expectation at any N ≥ 2 (looser than `leave_one_out`, by Jensen). With a learned q(y|x) it is
/// no guaranteed bound of any kind: only if q is nearer to the joint than to the product
/// distribution. Deviation: the paper's batch form lets j = i into the mean, which multiplies the
/// value by (N−1)/N and can take it below the mutual information. Infinite densities give +inf or
/// NaN as arithmetic has it. OptionError for shapes.
at::Tensor club(const at::Tensor& log_density);

}  // namespace namid::mi
