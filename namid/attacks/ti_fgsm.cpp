// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/ti_fgsm.h"

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/checks.h"

namespace namid::attacks {
namespace {
constexpr std::string_view kTiFgsm = "ti-fgsm";
}  // namespace

AttackResult ti_fgsm(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                     const TiFgsmOptions& options, const Context& context) {
  validate(options, kTiFgsm);
  validate_budget(options.budget, kTiFgsm, {Norm::linf, Norm::l2});
  check_batch(model, x, y, kTiFgsm);
  check_images(x, kTiFgsm);
  const auto kernel = kernel_of(options.smoothing, kTiFgsm);
  const MomentumForm form{
      .where = kTiFgsm,
      .momentum = options.momentum,
      .budget = options.budget,
      .judge = Judge::last,
      .smoothed = [&](const at::Tensor& gradient) { return smoothed(gradient, kernel); }};
  const AttackScope scope(model);
  return run_rounds(kTiFgsm, x, y, rounds(options), context, [&](const Round& round) {
    return climb_with_momentum(model, round, form, context);
  });
}

}  // namespace namid::attacks
