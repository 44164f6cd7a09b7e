// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "namid/attacks/attack.h"
#include "namid/attacks/best.h"
#include "namid/attacks/capacity.h"
#include "namid/attacks/gradient.h"

namespace namid::attacks {

/// The set of plans of a batch: row sums x, ⟨costs, π⟩ ≤ limit.
struct TransportBall {
  at::Tensor x;
  at::Tensor costs;  ///< move_costs
  at::Tensor limit;  ///< float64 (N): epsilon times the mass of x

  TransportBall(const at::Tensor& x, double epsilon, int kernel);
};

/// Best (best.h) with the plans that belong to the images.
class BestPlan {
 public:
  void update(const at::Tensor& plan, const at::Tensor& image, const LossAndGradient& point,
              const at::Tensor& success, int step);
  AttackResult result() const;  ///< with its plan

 private:
  Best best_;
  at::Tensor plan_;
};

/// What the attacks that move a plan along the gradient differ in.
struct PlanForm {
  std::string_view where;
  Budget budget;
  int kernel = 5;
  int steps = 40;
  Overflow overflow = Overflow::send_back;
  CapacityAscent capacity;
  Judge judge = Judge::best;
  /// The next plan in the ball, from the last one and the gradient divided by its largest entry.
  std::function<at::Tensor(const TransportBall& ball, const at::Tensor& plan,
                           const at::Tensor& gradient, int step)>
      next;
};

/// The form of an attack whose options have the members of PlanForm.
template <class Options>
PlanForm plan_form(std::string_view where, const Options& options, decltype(PlanForm::next) next) {
  return {.where = where,
          .budget = options.budget,
          .kernel = options.kernel,
          .steps = options.steps,
          .overflow = options.overflow,
          .capacity = options.capacity,
          .judge = options.judge,
          .next = std::move(next)};
}

/// From the plan that moves nothing: the gradient of cross-entropy at the image that `overflow`
/// makes of the plan, taken through the clipping to [0,1] and back to the plan, then `next`, kept
/// `within_cost`. → x_adv, inside [0,1], and the plan in the ball that makes it (Overflow::clip:
/// whose image is clipped to x_adv). An epsilon of 0 gives x bit for bit. Passes per sample: steps
/// + 1 forwards, one more with Overflow::project, and steps backwards. OptionError for another norm
/// than wasserstein and for samples that are no images; else as pgd.
AttackResult climb_plans(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                         const PlanForm& form, const Context& context);

}  // namespace namid::attacks
