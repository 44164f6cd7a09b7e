// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace namid::mi {

/// SMILE (Song & Ermon 2020, arXiv:1910.06222): Donsker-Varadhan with the density ratios of the
/// negatives clipped to [e^−tau, e^tau], pooled over the batch:
///   loss[i,k] = log( (1/(N(N−1))) Σ_{a≠b} exp clip(u[a,b,k], −tau, tau) ) − u[i,i,k]
/// scores u: (N, N, K), N ≥ 2; tau > 0, infinity gives `donsker_varadhan_pooled`. Returns (N, K).
/// *Neither* a lower nor an upper bound: clipping trades variance for a bias of either sign, and
/// the positives are not clipped, so that a critic can drive the value up without limit. The paper
/// trains its critic by `fenchel` (jsd) and reads this value off; as a loss to minimise it is
/// not meant. OptionError for tau ≤ 0 and for shapes.
at::Tensor smile(const at::Tensor& scores, double tau);

}  // namespace namid::mi
