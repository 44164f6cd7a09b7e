// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/mi_fgsm.h"

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/checks.h"

namespace namid::attacks {
namespace {
constexpr std::string_view kMiFgsm = "mi-fgsm";
}  // namespace

AttackResult mi_fgsm(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                     const MiFgsmOptions& options, const Context& context) {
  validate(options, kMiFgsm);
  validate_budget(options.budget, kMiFgsm, {Norm::linf, Norm::l2});
  check_compat(options.compat, {Compat::torchattacks, Compat::foolbox}, kMiFgsm);
  if (options.compat == Compat::torchattacks)
    check_norm(options.budget.norm, {Norm::linf}, "mi-fgsm, torchattacks");
  check_batch(model, x, y, kMiFgsm);
  const bool last = options.nesterov || options.compat != Compat::none;
  const MomentumForm form{.where = kMiFgsm,
                          .momentum = options.momentum,
                          .budget = options.budget,
                          .judge = last ? Judge::last : options.judge,
                          .nesterov = options.nesterov,
                          .compat = options.compat};
  const AttackScope scope(model);
  return run_rounds(kMiFgsm, x, y, rounds(options), context, [&](const Round& round) {
    return climb_with_momentum(model, round, form, context);
  });
}

}  // namespace namid::attacks
