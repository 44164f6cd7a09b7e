// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/registry.h"

#include "namid/core/error.h"
#include "namid/defenses/mma_reference.h"

namespace namid::defenses {
namespace {

constexpr const char* kPairObjectives = "separate or selected";
constexpr const char* kMimObjective = "standard";

BaseLoss base_of(Defense defense, const DefenseOptions& options) {
  switch (defense) {
    case Defense::trades:
    case Defense::namid_t:
      return trades_base(options.trades);
    case Defense::mart:
    case Defense::namid_m:
      return mart_base(options.mart);
    case Defense::mma_reference:
      return mma_reference_base();
    default:
      return cross_entropy_base();
  }
}

mi::Estimator frozen_copy(const mi::Estimator& estimator, bool used) {
  mi::Estimator copy;
  if (!used) return copy;
  copy = estimator.clone();
  copy.freeze();
  return copy;
}

/// A pair of nets has both estimators; objectives with one pair leave the adversarial one empty.
void check_objective(const mi::EstimatorPair& pair, const DefenseInfo& info) {
  const auto& made = pair.info.objective;
  const bool single = made == "standard" || made == "natural";
  const bool fits = info.defense == Defense::at_mim ? made == kMimObjective : !single;
  if (!fits)
    throw OptionError(str("[train] estimators: ", info.name, " needs some of objective ",
                          info.estimators, ", got objective ", made,
                          "; make them with `namid estimate --objective`"));
}

Objective bound_at_mim(const DefenseOptions& options, const mi::EstimatorPair& estimators) {
  const AtMimSetting setting{{frozen_copy(estimators.natural, true), {}, estimators.info},
                             options.at_mim,
                             options.namid,
                             options.full_batch};
  return [=, attack = options.attack](const Classifier& model, const Batch& batch,
                                      const Context& context) {
    return at_mim(model, batch, attack, setting, context);
  };
}

Objective bound_namid(const DefenseOptions& options, const BaseLoss& base, const StepOptions& step,
                      const mi::EstimatorPair& estimators) {
  const NamidSetting setting{
      {frozen_copy(estimators.natural, options.namid.natural_term),
       frozen_copy(estimators.adversarial, options.namid.adversarial_term), estimators.info},
      options.namid,
      base,
      options.full_batch};
  return [=](const Classifier& model, const Batch& batch, const Context& context) {
    return namid(model, batch, step, setting, context);
  };
}

Objective bound_mma(const MmaOptions& options, const StepOptions& step) {
  const auto table = std::make_shared<MarginTable>();
  return {[=](const Classifier& model, const Batch& batch, const Context& context) {
            return mma(model, batch, step, options, *table, context);
          },
          table};
}

}  // namespace

std::vector<DefenseInfo> list_defenses() {
  using enum Defense;
  return {{natural, "natural", "cross-entropy on natural images", "", "", true},
          {standard, "standard", "standard adversarial training on PGD examples", "madry2018", "",
           true},
          {trades, "trades", "cross-entropy, and KL between natural and adversarial predictions",
           "zhang2019trades", "", true},
          {mart, "mart", "boosted cross-entropy, and KL weighted by misclassification",
           "wang2020mart", "", true},
          {mma, "mma", "cross-entropy at each image's own margin", "ding2020mma", "", false},
          {mma_reference, "mma-reference",
           "adversarial or natural cross-entropy, as the natural image is right or wrong", "", "",
           true},
          {at_mim, "at-mim", "standard adversarial training with standard scores (WMIM)",
           "zhou2022namid", kMimObjective, false},
          {namid, "namid",
           "standard adversarial training with natural and adversarial mutual-information scores",
           "zhou2022namid", kPairObjectives, true},
          {namid_t, "namid-t", "the same added to TRADES", "zhou2022namid", kPairObjectives, false},
          {namid_m, "namid-m", "the same added to MART", "zhou2022namid", kPairObjectives, false}};
}

DefenseInfo defense_info(Defense defense) {
  return list_defenses()[static_cast<std::size_t>(defense)];
}

bool needs_estimators(Defense defense) {
  return !defense_info(defense).estimators.empty();
}

void check_in_reference(Defense defense, attacks::Norm norm, std::string_view option) {
  if (!defense_info(defense).in_reference)
    throw OptionError(str("[train] ", option, ": the released code has no ", to_string(defense),
                          ", so that 'reference' means nothing for it; use the default"));
  if (defense == Defense::mma_reference && norm == attacks::Norm::l2)
    throw OptionError(str("[train] ", option,
                          ": mma-reference in l2 takes, in the released code, the gradient of a "
                          "tensor unrelated to the perturbation, which is undefined; use linf, or "
                          "the default"));
}

void check_defense(Defense defense, const DefenseOptions& options,
                   const std::optional<mi::EstimatorPair>& estimators) {
  attack_for(base_of(defense, options).ascended, options.attack);
  if (defense == Defense::mma) check_mma(options.mma, options.attack);
  if (options.bn_updates == BnUpdates::reference)
    check_in_reference(defense, options.attack.budget.norm, "bn_updates");
  const auto info = defense_info(defense);
  if (info.estimators.empty()) return;
  validate(options.namid, "namid");
  validate(options.at_mim, "at_mim");
  if (!estimators)
    throw OptionError(str("[train] estimators: ", info.name, " needs trained ones (objective ",
                          info.estimators,
                          "), got none; make them with `namid estimate` and name them"));
  check_objective(*estimators, info);
}

Objective make_objective(Defense defense, const DefenseOptions& options,
                         const std::optional<mi::EstimatorPair>& estimators) {
  check_defense(defense, options, estimators);
  const StepOptions step{options.attack, options.bn_updates};
  const BaseLoss base = base_of(defense, options);
  switch (defense) {
    case Defense::natural:
      return [](const Classifier& model, const Batch& batch, const Context&) {
        return natural(model, batch);
      };
    case Defense::mma:
      return bound_mma(options.mma, step);
    case Defense::at_mim:
      return bound_at_mim(options, *estimators);
    case Defense::namid:
    case Defense::namid_t:
    case Defense::namid_m:
      return bound_namid(options, base, step, *estimators);
    default:
      return [=](const Classifier& model, const Batch& batch, const Context& context) {
        return adversarial(model, batch, step, base, context);
      };
  }
}

}  // namespace namid::defenses
