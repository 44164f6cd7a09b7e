// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/margin_search.h"

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/draws.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/start.h"
#include "namid/attacks/steps.h"
#include "namid/core/error.h"

namespace namid::defenses {
namespace {

using attacks::Norm;
using attacks::per_sample;

constexpr std::string_view kWhere = "mma";

attacks::LossFunction climbed_margin() {
  return [](const at::Tensor&, const at::Tensor& logits, const at::Tensor& y) {
    return soft_logit_margin(logits, y);
  };
}

/// Uniform in the unit ball, by the draws of PGD's start: around the middle of the box, a ball of
/// radius 1/2 lies inside of it.
at::Tensor uniform_in_unit_ball(const at::Tensor& x, Norm norm, const attacks::Context& context) {
  const auto middle = at::full_like(x, 0.5);
  const attacks::Budget half{norm, 0.5};
  return (attacks::start_point(middle, attacks::Start::uniform, half, context.random, context.ids,
                               context.epoch) -
          middle) *
         2;
}

/// Into each image's own ball, then into the box.
at::Tensor project(const at::Tensor& x, const at::Tensor& x_adv, const at::Tensor& radii,
                   Norm norm) {
  const auto radius = per_sample(radii, x);
  auto delta = x_adv - x;
  if (norm == Norm::linf) {
    delta = at::minimum(at::maximum(delta, -radius), radius);
  } else {
    const auto length = attacks::sample_norms(delta, norm).clamp_min(1e-12);
    delta = delta * per_sample((radii.to(at::kDouble) / length).clamp_max(1).to(at::kFloat), x);
  }
  return (x + delta).clamp(0, 1);
}

at::Tensor point_at(const at::Tensor& x, const at::Tensor& u, const at::Tensor& e) {
  return (x + per_sample(e, x) * u).clamp(0, 1);
}

}  // namespace

at::Tensor soft_logit_margin(const at::Tensor& logits, const at::Tensor& y) {
  const auto label = y.unsqueeze(1);
  const auto others = logits.scatter(1, label, -std::numeric_limits<double>::infinity());
  return others.logsumexp(1) - logits.gather(1, label).squeeze(1);
}

at::Tensor bisect_margins(const models::Classifier& model, const at::Tensor& x, const at::Tensor& y,
                          const at::Tensor& u, const at::Tensor& first,
                          const MarginSearchOptions& options, const attacks::Context& context) {
  attacks::LossSurface surface(kWhere, model, y, climbed_margin(), context);
  auto e = first, low = at::zeros_like(e), high = at::full_like(e, options.e_max);
  for (int step = 0; step < options.bisections; ++step) {
    const auto inside = surface.value(point_at(x, u, e), step).loss < 0;
    low = at::where(inside, at::maximum(low, e), low);
    high = at::where(inside, high, at::minimum(high, e));
    e = (low + high) / 2;
  }
  surface.finish();
  return e;
}

MarginSearch search_margins(const models::Classifier& model, const at::Tensor& x,
                            const at::Tensor& y, const at::Tensor& radii,
                            const MarginSearchOptions& options, const attacks::Context& context) {
  if (options.norm != Norm::linf && options.norm != Norm::l2)
    throw OptionError(str("[mma] attack norm: expected linf or l2, got ", to_string(options.norm)));
  const attacks::AttackScope scope(model);
  attacks::LossSurface surface(kWhere, model, y, climbed_margin(), context);
  const auto step_size = per_sample(radii * (2.5 / options.steps), x);
  auto x_adv = project(x, x + per_sample(radii, x) * uniform_in_unit_ball(x, options.norm, context),
                       radii, options.norm);
  for (int step = 0; step < options.steps; ++step) {
    if (context.stop) context.stop->check();
    const auto gradient = surface.gradient(x_adv, step).gradient;
    x_adv = project(x, x_adv + step_size * attacks::ascent(gradient, options.norm), radii,
                    options.norm);
  }
  surface.finish();
  const auto u = (x_adv - x) / per_sample(radii + 1e-12, x);
  const auto margins = bisect_margins(model, x, y, u, radii, options, context);
  return {margins, point_at(x, u, margins)};
}

}  // namespace namid::defenses
