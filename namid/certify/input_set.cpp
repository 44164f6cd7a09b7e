// SPDX-License-Identifier: Apache-2.0
#include "namid/certify/input_set.h"

#include <ATen/Functions.h>

namespace namid::certify {
namespace {

using attacks::Norm;

at::Tensor products(const at::Tensor& lambda, const at::Tensor& values) {
  return (lambda.flatten(1) * values.flatten(1)).sum(1);
}

/// ‖Λ‖ in the norm dual to that of the ball.
at::Tensor dual_norm(const at::Tensor& lambda, Norm norm) {
  const auto flat = lambda.flatten(1);
  return norm == Norm::l2 ? flat.square().sum(1).sqrt() : flat.abs().amax(1);
}

}  // namespace

InputSet input_set(const at::Tensor& x, const attacks::Budget& budget, bool box) {
  attacks::validate_budget(budget, "certify");
  InputSet set{.budget = budget, .box = box, .x = x.to(at::kDouble)};
  set.lower = set.x - budget.epsilon;
  set.upper = set.x + budget.epsilon;
  if (box) {
    set.lower = set.lower.clamp_min(0);
    set.upper = set.upper.clamp_max(1);
  }
  return set;
}

at::Tensor minimum(const InputSet& set, const at::Tensor& lambda, const at::Tensor& d,
                   const at::Tensor& sample) {
  const auto of = [&](const at::Tensor& values) { return values.index_select(0, sample); };
  at::Tensor bound;
  if (set.budget.norm == Norm::linf || set.box) {
    const auto centre = (set.lower + set.upper) / 2, radius = (set.upper - set.lower) / 2;
    bound = products(lambda, of(centre)) - products(lambda.abs(), of(radius));
  }
  if (set.budget.norm != Norm::linf) {
    const auto ball =
        products(lambda, of(set.x)) - set.budget.epsilon * dual_norm(lambda, set.budget.norm);
    bound = bound.defined() ? at::maximum(bound, ball) : ball;
  }
  return bound + d;
}

}  // namespace namid::certify
