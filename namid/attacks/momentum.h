// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>

#include "namid/attacks/attack.h"
#include "namid/attacks/best.h"
#include "namid/attacks/compat.h"
#include "namid/attacks/rounds.h"

namespace namid::attacks {

/// The steps that mi_fgsm, di_fgsm, ti_fgsm and ti_dim share: iterative FGSM with momentum, Dong et
/// al. 2018 (arXiv:1710.06081, dong2018), Algorithm 1. From x_0 = x, v_0 = 0:
///   v_t+1 = decay · v_t + g_t / mean|g_t|,   g_t = ∇ CE at x_t (targeted: of −CE to the target)
///   x_t+1 = clip_[0,1](Π(x_t + step_size · dir(v_t+1)))
/// dir as in steps.h. The paper divides by ‖g‖₁, which gives the same images.
struct Momentum {
  int steps = 10;
  Automatic<double> step_size = {};
  double decay = 1;
  bool targeted = false;
  static constexpr auto fields() {
    return std::tuple{
        field("steps", &Momentum::steps, "gradient steps", at_least(1)),
        field("step_size", &Momentum::step_size, "length of a step; auto: epsilon / 4",
              at_least(0)),
        field("decay", &Momentum::decay, "weight of the gradients before", at_least(0)),
        field("targeted", &Momentum::targeted, "y holds target classes, towards which x moves")};
  }
};
NAMID_CHECK_FIELDS(Momentum);

/// What the attacks differ in; empty functions do nothing.
struct MomentumForm {
  std::string_view where;
  Momentum momentum;
  Budget budget;
  Judge judge = Judge::best;  ///< last where the images seen are not those judged
  bool nesterov = false;      ///< the gradient is taken at x_t + step_size · decay · v_t
  /// The gradient is taken through the clipping to [0,1] of a point that only the ball bounds
  /// (released code of NAMID): an entry outside the box has gradient 0.
  bool through_box = false;
  Compat compat = Compat::none;  ///< see mi_fgsm.h
  /// The logits of a step where they are not the model's of the image itself, differentiable.
  std::function<at::Tensor(const at::Tensor& image, int step)> logits = {};
  std::function<at::Tensor(const at::Tensor& gradient)> smoothed = {};
};

/// One run on the rows of a round. Judge::last: the final point, by a forward of its own. A
/// vanishing gradient adds nothing to v. Passes per sample: steps + 1 forwards, steps backwards.
AttackResult climb_with_momentum(const Classifier& model, const Round& round,
                                 const MomentumForm& form, const Context& context);

/// The result with passes that were made before its rounds; context.passes is counted up too.
AttackResult with_passes(AttackResult result, const Passes& before, const Context& context);

}  // namespace namid::attacks
