// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace namid::mi {

/// Leave-one-out upper bound for a *known* conditional density p(y|x) (Poole et al. 2019,
/// arXiv:1905.06922, Sec. 2.5): the marginal p(y_i) is replaced by the mean of p(y_i|x_j) over the
/// other samples,
///   value[i] = log p(y_i|x_i) − log( (1/(N−1)) Σ_{j≠i} p(y_i|x_j) )
/// log_density: (N, N), the entry [i,j] = log p(y_i|x_j), N ≥ 2. Returns (N) values in nats, not
/// losses. Their mean is an *upper* bound of I(X;Y) in expectation at any N ≥ 2, close where
/// N ≫ e^(MI). A learned density gives no bound. y_i impossible for all others: +inf; for its own x
/// too: NaN. OptionError for shapes.
at::Tensor leave_one_out(const at::Tensor& log_density);

}  // namespace namid::mi
