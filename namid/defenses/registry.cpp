// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/registry.h"

namespace namid::defenses {

std::vector<DefenseInfo> list_defenses() {
  return {{Defense::natural, "natural", "cross-entropy on natural images", "", false},
          {Defense::standard, "standard", "standard adversarial training on PGD examples",
           "madry2018", false},
          {Defense::namid, "namid",
           "standard adversarial training with natural and adversarial mutual-information scores",
           "zhou2022namid", true}};
}

Objective make_objective(Defense defense, const PgdOptions& attack, const NamidOptions& options,
                         std::int64_t full_batch,
                         const std::optional<mi::EstimatorPair>& estimators) {
  switch (defense) {
    case Defense::natural:
      return [](const Classifier& model, const Batch& batch, const Context&) {
        return natural(model, batch);
      };
    case Defense::standard:
      return [attack](const Classifier& model, const Batch& batch, const Context& context) {
        return standard(model, batch, attack, context);
      };
    case Defense::namid:
      break;
  }
  validate(options, "namid");
  if (!estimators)
    throw OptionError(
        "[train] estimators: the namid defence needs a trained pair, got none; make one with "
        "`namid estimate` and name it");
  const mi::EstimatorPair own = estimators->clone();
  for (const auto* estimator : {&own.natural, &own.adversarial})
    if (estimator->defined()) estimator->freeze();
  return [attack, options, full_batch, own](const Classifier& model, const Batch& batch,
                                            const Context& context) {
    return namid(model, batch, attack, own, options, full_batch, context);
  };
}

}  // namespace namid::defenses
