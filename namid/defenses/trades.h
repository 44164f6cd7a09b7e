// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/defenses/base_loss.h"

namespace namid::defenses {

/// TRADES, Zhang et al. 2019 (arXiv:1901.08573), multi-class form:
///   L = mean CE(h(x), y) + β · mean KL(softmax h(x) ‖ softmax h(x_adv)),
/// β = 1/λ of that paper. x_adv ascends the KL term, from a start off x, where its gradient is 0.
/// The paper's code takes h(x) of the attack once; so does this.
struct TradesOptions {
  double beta = 6;
  static constexpr auto fields() {
    return std::tuple{field("beta", &TradesOptions::beta, "weight of the KL term", at_least(0))};
  }
};
NAMID_CHECK_FIELDS(TradesOptions);

/// L from logits (N, C) of x and of x_adv and labels (N): a scalar, differentiable in both.
at::Tensor trades_loss(const at::Tensor& natural, const at::Tensor& adversarial,
                       const at::Tensor& y, double beta);

/// The same as a base loss. The released code of NAMID runs x, x_adv and x again. OptionError for
/// unfit options.
BaseLoss trades_base(const TradesOptions& options = {});

}  // namespace namid::defenses
