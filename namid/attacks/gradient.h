// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "namid/attacks/attack.h"

namespace namid::attacks {

/// What one evaluation at x_adv gives; no tensor holds a graph.
struct LossAndGradient {
  at::Tensor loss;      ///< float32 (N)
  at::Tensor gradient;  ///< of the sum of the losses, so row i is ∇ loss_i; undefined after `value`
  at::Tensor logits;    ///< float32 (N, C)
};

/// The loss that an attack climbs, as a function of x_adv: model, labels and loss bound together,
/// the hooks of the Context in force, every pass counted. To be used inside an AttackScope.
class LossSurface {
 public:
  /// `where` names the attack in messages. `loss` is the attack's own; context.loss replaces it.
  /// `context` must outlive the surface.
  LossSurface(std::string_view where, const Classifier& model, const at::Tensor& y,
              LossFunction loss, const Context& context);

  /// One forward and one backward, with respect to x_adv only. With context.gradient: one forward
  /// without graph, and the caller's gradient, which counts as one backward. OptionError where the
  /// loss does not depend on x_adv differentiably or a hook returns another shape; NumericError,
  /// naming `step` and the number of samples, where logits, loss or gradient are not finite (found
  /// at once on the CPU, by `finish` on other devices, which are not stalled at each step).
  LossAndGradient gradient(const at::Tensor& x_adv, std::int64_t step);
  /// One forward.
  LossAndGradient value(const at::Tensor& x_adv, std::int64_t step);

  /// Throws what was deferred; returns the passes of this surface.
  Passes finish();

 private:
  LossAndGradient evaluate(const at::Tensor& x_adv) const;
  at::Tensor differentiate(const at::Tensor& loss, const at::Tensor& leaf) const;
  at::Tensor checked_shape(at::Tensor gradient, const at::Tensor& x_adv) const;
  void count(std::int64_t forwards, std::int64_t backwards);
  void check_finite(const char* what, const at::Tensor& rows, std::int64_t step);
  void report(const std::string& what, const at::Tensor& bad_rows) const;

  std::string where_;
  Classifier model_;
  at::Tensor y_;
  LossFunction loss_;
  const Context& context_;
  Passes passes_;
  std::vector<std::pair<std::string, at::Tensor>> deferred_;
};

/// Verdict on logits (N, C): bool (N), classified as y (targeted) or not as y (untargeted).
at::Tensor fooled(const at::Tensor& logits, const at::Tensor& y, bool targeted);

}  // namespace namid::attacks
