// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/mi_fgsm.h"

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/checks.h"

namespace namid::attacks {
namespace {
constexpr std::string_view kWhere = "mi-fgsm";
}  // namespace

AttackResult mi_fgsm(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                     const MiFgsmOptions& options, const Context& context) {
  validate(options, kWhere);
  validate_budget(options.budget, kWhere);
  check_norm(options.budget.norm, {Norm::linf, Norm::l2}, kWhere);
  check_compat(options.compat, {Compat::torchattacks, Compat::foolbox}, kWhere);
  check_batch(model, x, y, kWhere);
  const bool last = options.nesterov || options.compat != Compat::none;
  const MomentumForm form{.where = kWhere,
                          .momentum = options.momentum,
                          .budget = options.budget,
                          .judge = last ? Judge::last : options.judge,
                          .nesterov = options.nesterov,
                          .compat = options.compat};
  const AttackScope scope(model);
  return run_rounds(kWhere, x, y, rounds(options), context, [&](const Round& round) {
    return climb_with_momentum(model, round, form, context);
  });
}

}  // namespace namid::attacks
