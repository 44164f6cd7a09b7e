// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/ti_dim.h"

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/checks.h"

namespace namid::attacks {
namespace {
constexpr std::string_view kTiDim = "ti-dim";
}  // namespace

AttackResult ti_dim(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                    const TiDimOptions& options, const Context& context) {
  validate(options, kTiDim);
  validate_budget(options.budget, kTiDim, {Norm::linf, Norm::l2});
  check_compat(options.compat, {Compat::reference}, kTiDim);
  const bool reference = options.compat == Compat::reference;
  if (reference) check_norm(options.budget.norm, {Norm::linf}, "ti-dim, reference");
  check_batch(model, x, y, kTiDim);
  check_images(x, kTiDim);
  const auto kernel = kernel_of(options.smoothing, kTiDim);
  const AttackScope scope(model);
  auto diversity = options.diversity;
  Passes probe;
  if (!reference) diversity.resize = resize_rate(model, x, diversity, kTiDim, probe);
  auto result = run_rounds(kTiDim, x, y, rounds(options), context, [&](const Round& round) {
    const Draws draws(context, round.ids, round.epoch);
    MomentumForm form{
        .where = kTiDim,
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
