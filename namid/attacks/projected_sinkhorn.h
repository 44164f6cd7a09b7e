// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/attack.h"
#include "namid/attacks/best.h"
#include "namid/attacks/sinkhorn.h"

namespace namid::attacks {

/// Projected Sinkhorn iterations, Wong et al. 2019 (arXiv:1902.07906, wong2019), Sec. 3 and 4:
///   x_t+1 = Π(x_t + step_size · sign ∇ₓ CE),   Π: sinkhorn_projection (sinkhorn.h)
/// Deviations: Π gives a plan, and the next point is the image that the plan makes after it is
/// kept `within_cost` and `sent_back` (capacity.h): an allowed image with its proof, while the
/// paper's z meets the ball in the limit alone and is clipped. Epsilon stays as it is (the paper's
/// code widens it until all samples are fooled). The entropy blurs the images, the more the smaller
/// lambda. A sample in whose projection anything overflows is returned clean, at step 0.
struct ProjectedSinkhornOptions {
  Budget budget = {Norm::wasserstein, 0.005};
  int kernel = 5;
  int steps = 40;
  double step_size = 0.1;
  Sinkhorn projection = {};
  Judge judge = Judge::best;
  static constexpr auto fields() {
    using T = ProjectedSinkhornOptions;
    return std::tuple{field("budget", &T::budget, ""),
                      field("kernel", &T::kernel,
                            "side of the window of pixels that mass may move in", between(1, 99)),
                      field("steps", &T::steps, "gradient steps", at_least(1)),
                      field("step_size", &T::step_size, "length of a step", above(0)),
                      field("projection", &T::projection, ""),
                      field("judge", &T::judge, "return the best iterate seen, or the last")};
  }
};
NAMID_CHECK_FIELDS(ProjectedSinkhornOptions);

constexpr int rounds(const ProjectedSinkhornOptions& /*options*/, std::int64_t /*classes*/ = 0) {
  return 1;
}

/// x: float32 (N, C, H, W) in [0,1]; y: int64 (N). → x_adv inside [0,1] and its plan, as
/// climb_plans; an epsilon of 0 gives x bit for bit. Passes per sample: steps + 1 forwards, steps
/// backwards. OptionError for another norm than wasserstein and for samples that are no images;
/// else as pgd.
AttackResult projected_sinkhorn(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                                const ProjectedSinkhornOptions& options = {},
                                const Context& context = {});

}  // namespace namid::attacks
