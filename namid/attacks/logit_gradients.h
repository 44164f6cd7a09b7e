// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <string_view>

#include "namid/attacks/attack.h"
#include "namid/attacks/pass_meter.h"

namespace namid::attacks {

/// The logits z of a model and the gradients of their differences, for attacks that look at
/// decision boundaries; every pass counted. To be used inside an AttackScope.
class LogitGradients {
 public:
  /// z_c − z_y (N) and its gradient with respect to x, shaped like x.
  using Visitor = std::function<void(const at::Tensor& difference, const at::Tensor& gradient)>;

  /// `where` names the attack in messages. OptionError where the context replaces loss or gradient:
  /// boundaries follow from the logits alone. `context` must outlive the object.
  LogitGradients(std::string_view where, const Classifier& model, const Context& context);

  /// One forward: float32 (N, C).
  at::Tensor logits(const at::Tensor& x, std::int64_t step);
  /// A forward whose graph waits for gradients.
  struct Point {
    at::Tensor x, logits;
  };
  Point point(const at::Tensor& x, std::int64_t step);
  /// M backwards from a point, which is then used up: calls `visit` for c in each column of
  /// `classes`, int64 (N, M), in turn, so that no more than one gradient is held. OptionError for a
  /// model that is not differentiable; NumericError as PassMeter.
  void differences(const Point& point, const at::Tensor& y, const at::Tensor& classes,
                   std::int64_t step, const Visitor& visit);

  /// Throws what was deferred; returns the passes made so far.
  Passes finish() { return meter_.finish(); }

 private:
  at::Tensor forward(const at::Tensor& x, std::int64_t step);

  std::string where_;
  Classifier model_;
  const run::StopToken* stop_;
  PassMeter meter_;
};

}  // namespace namid::attacks
