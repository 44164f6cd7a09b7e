// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/defenses/base_loss.h"

namespace namid::defenses {

/// MART, Wang et al. 2020 (wang2020mart), with p = softmax h(x), q = softmax h(x_adv):
///   L = BCE + β · mean KL(p ‖ q) · (1 − p_y),
///   BCE = mean [ −log q_y − log(1 − max_{c≠y} q_c) ].
/// x_adv by PGD on the cross-entropy. The constants inside the logarithms and in the last factor
/// are those of the authors' code, without which they may be infinite.
struct MartOptions {
  double beta = 6;
  static constexpr auto fields() {
    return std::tuple{
        field("beta", &MartOptions::beta, "weight of the weighted KL term", at_least(0))};
  }
};
NAMID_CHECK_FIELDS(MartOptions);

/// L from logits (N, C) of x and of x_adv and labels (N): a scalar, differentiable in both:
///   mean [ CE(h(x_adv), y) − log(1.0001 − max_{c≠y} q_c + 1e-12) ]
///   + β · mean Σ_c p_c (log p_c − log(q_c + 1e-12)) · (1.0000001 − p_y).
at::Tensor mart_loss(const at::Tensor& natural, const at::Tensor& adversarial, const at::Tensor& y,
                     double beta);

/// The same as a base loss. OptionError for unfit options.
BaseLoss mart_base(const MartOptions& options = {});

}  // namespace namid::defenses
