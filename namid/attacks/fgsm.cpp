// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/fgsm.h"

#include "namid/attacks/pgd.h"
#include "namid/core/error.h"

namespace namid::attacks {

AttackResult fgsm(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                  const FgsmOptions& options, const Context& context) {
  constexpr std::string_view kFgsm = "fgsm";
  validate(options, kFgsm);
  if (options.loss == AttackLoss::kl)
    throw OptionError("[fgsm] loss: kl has no gradient at x; use cross_entropy, margin or dlr");
  return pgd_named(kFgsm, model, x, y,
                   {.budget = options.budget,
                    .steps = 1,
                    .step_size = options.budget.epsilon,
                    .start = Start::none,
                    .loss = options.loss,
                    .targeted = options.targeted},
                   context);
}

}  // namespace namid::attacks
