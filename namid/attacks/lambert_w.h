// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace namid::attacks {

/// Principal branch of Lambert's W, Corless et al. 1996 (corless1996): of each entry of z (float64,
/// z ≥ −1/e) the w ≥ −1 with w eʷ = z. Started by series, at −1/e, at 0 or at infinity (their Eqs.
/// 4.22 and 4.19), then Halley's iteration (Eq. 5.9). NaN below −1/e.
at::Tensor lambert_w(const at::Tensor& z);

/// W(eᵘ): the w > 0 with w + log w = u, for any float64 u, where eᵘ itself would overflow too.
at::Tensor lambert_w_of_exp(const at::Tensor& u);

}  // namespace namid::attacks
