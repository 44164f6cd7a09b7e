// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>

#include "namid/attacks/attack.h"
#include "namid/attacks/best.h"
#include "namid/attacks/transport.h"

namespace namid::attacks {

/// Which images a Wasserstein attack may make of x: those that a plan (transport.h) makes whose
/// cost is at most epsilon times the mass of x.
struct TransportBudget {
  double epsilon = 0.005;
  int kernel = 5;
  static constexpr auto fields() {
    return std::tuple{field("epsilon", &TransportBudget::epsilon,
                            "mean distance in pixels that a unit of mass may travel", at_least(0)),
                      field("kernel", &TransportBudget::kernel,
                            "side of the window of pixels that mass may move in", at_least(1))};
  }
};
NAMID_CHECK_FIELDS(TransportBudget);

/// What a Wasserstein attack returns: x_adv is the plan's image clipped to [0,1], on which success
/// and loss are judged; the plan proves that it is allowed.
struct TransportResult {
  AttackResult result;
  at::Tensor plan;  ///< (N, C, H, W, K²), non-negative, row sums x
  at::Tensor cost;  ///< float64 (N): of the plan, over the mass of x
};

/// The set of plans of a batch: row sums x, ⟨costs, π⟩ ≤ limit.
struct TransportBall {
  at::Tensor x;
  at::Tensor costs;  ///< move_costs
  at::Tensor limit;  ///< float64 (N): epsilon times the mass of x
};

/// What the attacks that move a plan along the gradient differ in.
struct PlanForm {
  std::string_view where;
  TransportBudget budget;
  int steps = 40;
  Judge judge = Judge::best;
  /// The next plan in the ball, from the last one and the gradient divided by its largest entry.
  std::function<at::Tensor(const TransportBall& ball, const at::Tensor& plan,
                           const at::Tensor& gradient, int step)>
      next;
};

/// From the plan that moves nothing: the gradient of cross-entropy at the clipped image, taken
/// through the clipping and back to the plan, then `next`. Passes per sample: steps + 1 forwards,
/// steps backwards. OptionError for samples that are no images; else as pgd.
TransportResult climb_plans(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                            const PlanForm& form, const Context& context);

}  // namespace namid::attacks
