// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/compat.h"
#include "namid/attacks/momentum.h"

namespace namid::attacks {

/// MI-FGSM, iterative FGSM with momentum: momentum.h. nesterov: NI-FGSM, Lin et al. 2020
/// (arXiv:1908.06281, lin2020), Eq. (6): the gradient is taken ahead, where the momentum leads.
struct MiFgsmOptions {
  Budget budget = {};
  Momentum momentum = {};
  bool nesterov = false;
  Judge judge = Judge::best;
  Compat compat = Compat::none;
  static constexpr auto fields() {
    using T = MiFgsmOptions;
    return std::tuple{
        field("budget", &T::budget, ""), field("momentum", &T::momentum, ""),
        field("nesterov", &T::nesterov, "take the gradient where the momentum leads (NI-FGSM)"),
        field("judge", &T::judge, "return the best iterate seen, or the last"),
        field("compat", &T::compat, "torchattacks or foolbox: as those libraries do it")};
  }
};
NAMID_CHECK_FIELDS(MiFgsmOptions);

/// One run.
constexpr int rounds(const MiFgsmOptions& /*options*/, std::int64_t /*classes*/ = 0) {
  return 1;
}

/// x: float32 (N, *input_shape) in [0,1]; y: int64 (N); norm linf or l2. Passes per sample: steps +
/// 1 forwards, steps backwards. Judge::best looks at x, each x_t and the last point (nesterov: at
/// the last alone). compat = torchattacks, linf alone as there: the last point; a sample whose
/// gradient vanishes once never moves again, for its momentum is NaN from then on. compat = foolbox
/// (3.3.4; some older versions add g as it is): the last point; v sums sign(g) in linf and g / ‖g‖₂
/// in l2. OptionError before the first pass for unfit arguments; NumericError; run::Interrupted.
AttackResult mi_fgsm(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                     const MiFgsmOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks
