// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/plan_climb.h"

namespace namid::attacks {

/// Frank-Wolfe attack in the Wasserstein distance with dual linear minimisation oracle, Wu et al.
/// 2020 (arXiv:2008.02883, wu2020), Sec. 4: from the plan π_0 that moves nothing,
///   π*  = entropic_oracle(∇_π CE / max|∇_π CE|)         (transport.h)
///   π_t+1 = π_t + 2 / (t + 2) · (π* − π_t)
/// every plan being in the ball, which is convex.
struct FrankWolfeOptions {
  TransportBudget budget = {};
  int steps = 40;
  double gamma = 1e-3;
  Bisection oracle = {};
  Judge judge = Judge::best;
  static constexpr auto fields() {
    using T = FrankWolfeOptions;
    return std::tuple{field("budget", &T::budget, ""),
                      field("steps", &T::steps, "steps", at_least(1)),
                      field("gamma", &T::gamma, "weight of the entropy in the oracle", above(0)),
                      field("oracle", &T::oracle, ""),
                      field("judge", &T::judge, "return the best iterate seen, or the last")};
  }
};
NAMID_CHECK_FIELDS(FrankWolfeOptions);

/// x: float32 (N, C, H, W) in [0,1]; y: int64 (N). See climb_plans.
TransportResult frank_wolfe(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                            const FrankWolfeOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks
