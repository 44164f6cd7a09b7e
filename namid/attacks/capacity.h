// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "namid/attacks/transport.h"
#include "namid/core/options.h"

namespace namid::attacks {

// Plans (transport.h) may pile up more than 1 on a pixel, which is no image any more. What is done
// about it, Wu et al. 2020 (wu2020), Sec. 5 and the released code.

/// clip: the image is clipped to [0,1] and the plan left as it is (the released code of NAMID);
/// mass is lost, so that a verifier refuses the image where anything was clipped. send_back:
/// `sent_back` at every step, the default: every iterate that is judged is an allowed image, at no
/// passes and the cost of a few sums. project: iterates are clipped, and what is returned is the
/// `capacity_projection` of the best, judged again by one forward more: nearest to the plan found,
/// but up to thousands of sorts of all plans.
enum class Overflow { clip, send_back, project };

/// How the multipliers of `capacity_projection` are found.
struct CapacityAscent {
  int iterations = 5000;
  double tolerance = 1e-4;
  static constexpr auto fields() {
    using T = CapacityAscent;
    return std::tuple{field("capacity_iterations", &T::iterations,
                            "project: steps on the multipliers of full pixels", at_least(1)),
                      field("capacity_tolerance", &T::tolerance,
                            "project: overflow at which a sample is done; 0: never before the last "
                            "step, as reference code",
                            at_least(0))};
  }
};
NAMID_CHECK_FIELDS(CapacityAscent);

/// Projection of a plan onto { row sums x, π ≥ 0, ⟨cost, π⟩ ≤ budget, arrived(π) ≤ 1 }, with
/// multipliers λ ≥ 0 of the cost and μ ≥ 0 (N, C, H, W) of the pixels:
///   π(λ, μ) = simplex_projection(plan − λ cost − gathered(μ), x)
///   ν ← max(μ + η (arrived(π(λ, μ)) − 1), 0),   μ ← 1.9 ν − 0.9 ν_before,   from μ = 1
/// η = 0.1 for 1000 steps, 0.01 to the 3000th, then 0.001; λ by bisection every 20 steps and at the
/// end. A plan whose dual_projection overfills nothing is that projection. A sample is done where
/// |μ − max(μ + arrived − 1, 0)| ≤ tolerance at a λ just found, which reference code does not look
/// at. Overflow of about the tolerance is left: see sent_back. budget: float64 (N).
at::Tensor capacity_projection(const at::Tensor& plan, const at::Tensor& x, const at::Tensor& costs,
                               const at::Tensor& budget, const CapacityAscent& ascent = {});

/// A plan that overfills nothing (to 1e-6): what is too much on a pixel goes back to the pixels it
/// came from, of each its share; where that overfills those, again, and after 10 rounds all that
/// came to an overfull pixel. Moves only shrink, so that the cost does too. x: the plan's row sums,
/// in [0,1]. Equal bits where nothing is overfull, but for the mass that stays, which is made
/// x − Σ moves.
at::Tensor sent_back(const at::Tensor& plan, const at::Tensor& x);

/// The plan, or where it costs more than the budget the point between it and rest that costs the
/// budget. Nothing leaves the image. budget: float64 (N).
at::Tensor within_cost(const at::Tensor& plan, const at::Tensor& x, const at::Tensor& costs,
                       const at::Tensor& budget);

}  // namespace namid::attacks

namespace namid {
template <>
struct EnumNames<attacks::Overflow> {
  static constexpr std::array kNames{"clip", "send_back", "project"};
};
}  // namespace namid
