// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <string_view>

#include "namid/attacks/attack.h"
#include "namid/attacks/pass_meter.h"

namespace namid::attacks {

/// What one evaluation at x_adv gives; no tensor holds a graph.
struct LossAndGradient {
  at::Tensor loss;      ///< float32 (N)
  at::Tensor gradient;  ///< of the sum of the losses, so row i is ∇ loss_i; undefined after `value`
  at::Tensor logits;    ///< float32 (N, C)
};

/// Expectation over transformation, Athalye et al. 2018 (arXiv:1707.07397), for models that draw:
/// loss and gradient are means over `draws` evaluations of the same point, before any sign or
/// normalisation; the logits are those of the mean prediction, log mean softmax(z). 1: plain.
struct Expectation {
  int draws = 1;
  /// Loss and logits are those of the last draw alone; the gradient stays the mean (AutoAttack's
  /// code: a sample is lost by one unlucky draw, and the more steps the likelier).
  bool judge_last = false;
};

/// The loss that an attack climbs, as a function of x_adv: model, labels and loss bound together,
/// the hooks of the Context in force, every pass counted. To be used inside an AttackScope.
class LossSurface {
 public:
  /// `where` names the attack in messages. `loss` is the attack's own; context.loss replaces it.
  /// `context` must outlive the surface.
  LossSurface(std::string_view where, const Classifier& model, const at::Tensor& y,
              LossFunction loss, const Context& context);

  /// From now on another loss of the attack's own; context.loss still replaces it.
  void climb(LossFunction loss);
  /// From now on every evaluation is made of `expectation.draws`, each counted.
  void average(const Expectation& expectation) { expectation_ = expectation; }

  /// One forward and one backward, with respect to x_adv only. With context.gradient: one forward
  /// without graph, and the caller's gradient, which counts as one backward. OptionError where the
  /// loss does not depend on x_adv differentiably or a hook returns another shape; NumericError,
  /// naming `step` and the number of samples, where logits, loss or gradient are not finite (found
  /// at once on the CPU, by `finish` on other devices, which are not stalled at each step).
  LossAndGradient gradient(const at::Tensor& x_adv, std::int64_t step);
  /// One forward.
  LossAndGradient value(const at::Tensor& x_adv, std::int64_t step);
  /// One forward without loss: logits (N, C).
  at::Tensor logits(const at::Tensor& x_adv, std::int64_t step);

  /// Throws what was deferred; returns the passes of this surface.
  Passes finish() { return meter_.finish(); }

 private:
  using Draw = std::function<LossAndGradient()>;
  LossAndGradient over_draws(const Draw& draw) const;
  LossAndGradient draw_gradient(const at::Tensor& x_adv, std::int64_t step);
  LossAndGradient draw_value(const at::Tensor& x_adv, std::int64_t step);
  at::Tensor draw_logits(const at::Tensor& x_adv, std::int64_t step);
  at::Tensor loss_of(const at::Tensor& x_adv, const at::Tensor& logits) const;
  at::Tensor differentiate(const at::Tensor& loss, const at::Tensor& leaf) const;
  at::Tensor checked_shape(at::Tensor gradient, const at::Tensor& x_adv) const;

  std::string where_;
  Classifier model_;
  at::Tensor y_;
  LossFunction loss_;
  const Context& context_;
  Expectation expectation_;
  PassMeter meter_;
};

/// Verdict on logits (N, C): bool (N), classified as y (targeted) or not as y (untargeted).
at::Tensor fooled(const at::Tensor& logits, const at::Tensor& y, bool targeted);

}  // namespace namid::attacks
