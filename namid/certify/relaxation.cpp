// SPDX-License-Identifier: Apache-2.0
#include "namid/certify/relaxation.h"

#include <ATen/Functions.h>

namespace namid::certify {

at::Tensor unstable(const Bounds& bounds) {
  return (bounds.lower < 0).logical_and(bounds.upper > 0);
}

Relaxation relax(const Bounds& bounds, Slopes slopes) {
  const auto &l = bounds.lower, &u = bounds.upper;
  if (slopes == Slopes::constant)
    return {.lower_intercept = l.clamp_min(0), .upper_intercept = u.clamp_min(0)};
  const auto open = unstable(bounds);
  const auto active = (l >= 0).to(l.scalar_type());
  const auto width = u - l;
  const auto chord = at::where(width < 1e-12, at::ones_like(l), u / width.clamp_min(1e-12));
  const auto zero = at::zeros_like(l);
  Relaxation out{.upper_slope = at::where(open, chord, active),
                 .upper_intercept = at::where(open, -chord * l, zero)};
  const auto adaptive = (u > -l).to(l.scalar_type());
  out.lower_slope =
      slopes == Slopes::fast_lin ? out.upper_slope : at::where(open, adaptive, active);
  return out;
}

}  // namespace namid::certify
