// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/plan_climb.h"

namespace namid::attacks {

/// Projected gradient ascent in the Wasserstein distance with dual projection, Wu et al. 2020
/// (arXiv:2008.02883, wu2020), Sec. 3; what the released code of NAMID calls FWA:
///   π_t+1 = dual_projection(π_t + step_size · ∇_π CE / max|∇_π CE|)        (transport.h)
/// The defaults are that code's, but for `overflow` (capacity.h; that code: clip); it has 6 times
/// the budget that Wu et al. take for CIFAR-10.
struct TransportPgdOptions {
  Budget budget = {Norm::wasserstein, 8.0 / 255};
  int kernel = 4;
  int steps = 40;
  double step_size = 0.007;
  Bisection projection = {.iterations = 15};
  Overflow overflow = Overflow::send_back;
  CapacityAscent capacity = {};
  Judge judge = Judge::best;
  static constexpr auto fields() {
    using T = TransportPgdOptions;
    return std::tuple{field("budget", &T::budget, ""),
                      field("kernel", &T::kernel,
                            "side of the window of pixels that mass may move in", between(1, 99)),
                      field("steps", &T::steps, "gradient steps", at_least(1)),
                      field("step_size", &T::step_size, "length of a step", above(0)),
                      field("projection", &T::projection, ""),
                      field("overflow", &T::overflow,
                            "pixels above 1: sent back, projected away at the end, or clipped "
                            "though that loses mass"),
                      field("capacity", &T::capacity, ""),
                      field("judge", &T::judge, "return the best iterate seen, or the last")};
  }
};
NAMID_CHECK_FIELDS(TransportPgdOptions);

constexpr int rounds(const TransportPgdOptions& /*options*/, std::int64_t /*classes*/ = 0) {
  return 1;
}

/// x: float32 (N, C, H, W) in [0,1]; y: int64 (N). See climb_plans.
AttackResult transport_pgd(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                           const TransportPgdOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks
