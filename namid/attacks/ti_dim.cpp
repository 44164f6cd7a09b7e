// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/ti_dim.h"

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/checks.h"

namespace namid::attacks {
namespace {
constexpr std::string_view kWhere = "ti-dim";
}  // namespace

AttackResult ti_dim(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                    const TiDimOptions& options, const Context& context) {
  validate(options, kWhere);
  validate_budget(options.budget, kWhere);
  check_norm(options.budget.norm, {Norm::linf, Norm::l2}, kWhere);
  check_compat(options.compat, {Compat::reference}, kWhere);
  const bool reference = options.compat == Compat::reference;
  if (reference) check_norm(options.budget.norm, {Norm::linf}, "ti-dim, reference");
  check_batch(model, x, y, kWhere);
  check_images(x, kWhere);
  const auto kernel = kernel_of(options.smoothing);
  const AttackScope scope(model);
  auto diversity = options.diversity;
  Passes probe;
  if (!reference) diversity.resize = resize_rate(model, x, diversity, kWhere, probe);
  auto result = run_rounds(kWhere, x, y, rounds(options), context, [&](const Round& round) {
    const Draws draws(context, round.ids, round.epoch);
    MomentumForm form{
        .where = kWhere,
        .momentum = options.momentum,
        .budget = options.budget,
        .judge = Judge::last,
        .through_box = reference,
        .smoothed = [&](const at::Tensor& gradient) { return smoothed(gradient, kernel); }};
    if (!reference)
      form.logits = [&](const at::Tensor& image, int step) {
        return model.at_any_size(diversified(image, diversity, draws, step));
      };
    return climb_with_momentum(model, round, form, context);
  });
  return with_passes(result, probe, context);
}

}  // namespace namid::attacks
