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
  Budget budget = {Norm::wasserstein, 0.005};
  int kernel = 5;
  int steps = 40;
  double gamma = 1e-3;
  Bisection oracle = {};
  Overflow overflow = Overflow::send_back;
  CapacityAscent capacity = {};
  Judge judge = Judge::best;
  static constexpr auto fields() {
    using T = FrankWolfeOptions;
    return std::tuple{field("budget", &T::budget, ""),
                      field("kernel", &T::kernel,
                            "side of the window of pixels that mass may move in", between(1, 99)),
                      field("steps", &T::steps, "steps", at_least(1)),
                      field("gamma", &T::gamma, "weight of the entropy in the oracle", above(0)),
                      field("oracle", &T::oracle, ""),
                      field("overflow", &T::overflow,
                            "pixels above 1: sent back, projected away at the end, or clipped "
                            "though that loses mass"),
                      field("capacity", &T::capacity, ""),
                      field("judge", &T::judge, "return the best iterate seen, or the last")};
  }
};
NAMID_CHECK_FIELDS(FrankWolfeOptions);

constexpr int rounds(const FrankWolfeOptions& /*options*/, std::int64_t /*classes*/ = 0) {
  return 1;
}

/// x: float32 (N, C, H, W) in [0,1]; y: int64 (N). See climb_plans.
AttackResult frank_wolfe(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                         const FrankWolfeOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks
