// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/di_fgsm.h"

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/checks.h"

namespace namid::attacks {
namespace {
constexpr std::string_view kWhere = "di-fgsm";
}  // namespace

AttackResult di_fgsm(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                     const DiFgsmOptions& options, const Context& context) {
  validate(options, kWhere);
  validate_budget(options.budget, kWhere);
  check_norm(options.budget.norm, {Norm::linf, Norm::l2}, kWhere);
  check_batch(model, x, y, kWhere);
  check_images(x, kWhere);
  const AttackScope scope(model);
  auto diversity = options.diversity;
  Passes probe;
  diversity.resize = resize_rate(model, x, diversity, kWhere, probe);
  auto result = run_rounds(kWhere, x, y, rounds(options), context, [&](const Round& round) {
    const Draws draws(context, round.ids, round.epoch);
    return climb_with_momentum(
        model, round,
        {.where = kWhere,
         .momentum = options.momentum,
         .budget = options.budget,
         .judge = Judge::last,
         .logits =
             [&](const at::Tensor& image, int step) {
               return model.at_any_size(diversified(image, diversity, draws, step));
             }},
        context);
  });
  return with_passes(result, probe, context);
}

}  // namespace namid::attacks
