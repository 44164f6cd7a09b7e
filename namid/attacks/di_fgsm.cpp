// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/di_fgsm.h"

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/checks.h"

namespace namid::attacks {
namespace {
constexpr std::string_view kDiFgsm = "di-fgsm";
}  // namespace

AttackResult di_fgsm(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                     const DiFgsmOptions& options, const Context& context) {
  validate(options, kDiFgsm);
  validate_budget(options.budget, kDiFgsm, {Norm::linf, Norm::l2});
  check_batch(model, x, y, kDiFgsm);
  check_images(x, kDiFgsm);
  const AttackScope scope(model);
  auto diversity = options.diversity;
  Passes probe;
  diversity.resize = resize_rate(model, x, diversity, kDiFgsm, probe);
  auto result = run_rounds(kDiFgsm, x, y, rounds(options), context, [&](const Round& round) {
    const Draws draws(context, round.ids, round.epoch);
    return climb_with_momentum(
        model, round,
        {.where = kDiFgsm,
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
