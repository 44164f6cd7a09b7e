// SPDX-License-Identifier: Apache-2.0
#include "namid/train/profile.h"

#include "namid/core/error.h"

namespace namid::train {
namespace {

using attacks::Norm;
using mi::EstimationObjective;

constexpr attacks::Budget kSelectedBudget{Norm::l2, 0.5}, kSeparateBudget{Norm::linf, 0.031};

bool contrasts(const EstimateOptions& options) {
  return options.rules.objective == EstimationObjective::selected;
}

constexpr double kL2Epsilon = 0.5;

/// A value that was not given by file or flag: the one there is the default of its struct.
template <class T>
T unless_given(const T& value, const T& standard, const T& profiled) {
  return value == standard ? profiled : value;
}

/// The released code's PGD; in L2 its step follows radius and steps.
void apply_to_attack(attacks::PgdOptions& attack, int steps) {
  const attacks::PgdOptions standard;
  attack.steps = unless_given(attack.steps, standard.steps, steps);
  attack.start = attacks::Start::gauss;
  attack.l2_order = attacks::L2Order::box_first;
  attack.step_size = 0.007;
  if (attack.budget.norm != Norm::l2) return;
  auto& epsilon = attack.budget.epsilon;
  epsilon = unless_given(epsilon, standard.budget.epsilon, kL2Epsilon);
  attack.step_size = 2 * epsilon / attack.steps;
}

void apply_to_namid(TrainOptions& options, defenses::NamidOptions& namid) {
  constexpr int kWarmup = 2;
  options.warmup_epochs = kWarmup;
  options.epochs = 100 + kWarmup;
  options.milestones = {75 + kWarmup, 90 + kWarmup};
  options.select = Select::test;
  options.validation_steps = 40;
  options.allow_estimator_mismatch = mi::EstimatorMismatch::norm;
  namid.lambda = 0;
  namid.selection = mi::SelectionRule::batch_softmax;
  namid.dv_mask = mi::DvMask::multiply;
  namid.mi_warmup = 0;
  namid.mi_partial_batch = true;
}

}  // namespace

void apply_profile(EstimateOptions& options, attacks::PgdOptions& attack) {
  if (options.profile != Profile::reference) return;
  const bool selected = contrasts(options);
  options.rules.selection = mi::SelectionRule::batch_softmax;
  options.rules.dv_mask = mi::DvMask::multiply;
  options.rules.select_eq4 = mi::SelectEq4::reference;
  options.rules.contrast = mi::Contrast::cosine;
  options.rules.bn_updates = mi::BnUpdates::reference;
  options.epochs = selected ? 25 : 50;
  options.batch_size = selected ? 400 : 200;
  options.mi_partial_batch = mi::PartialBatch::use;
  options.lr = 1e-2;
  options.milestones = selected ? std::vector{11, 21} : std::vector{21, 31, 41};
  options.gamma = selected ? 0.1 : 0.5;
  attack.budget = selected ? kSelectedBudget : kSeparateBudget;
  attack.steps = 20;
  attack.step_size = selected ? 2 * kSelectedBudget.epsilon / attack.steps : 0.007;
  attack.start = attacks::Start::gauss;
  attack.l2_order = attacks::L2Order::box_first;
}

void check_profile(const EstimateOptions& options, const attacks::PgdOptions& attack) {
  if (options.profile != Profile::reference) return;
  const auto objective = options.rules.objective;
  if (!contrasts(options) && objective != EstimationObjective::separate)
    throw OptionError(
        str("[estimate] profile: the released code has the objectives separate and "
            "selected only, got ",
            to_string(objective), "; use the paper profile"));
  const auto& own = contrasts(options) ? kSelectedBudget : kSeparateBudget;
  if (attack.budget.norm != own.norm && attack.budget.epsilon == own.epsilon)
    throw OptionError(str("[attack] epsilon: ", own.epsilon,
                          " is the reference profile's radius in ", to_string(own.norm),
                          "; with --norm ", to_string(attack.budget.norm),
                          " give --epsilon and --step-size too"));
}

void apply_profile(TrainOptions& options, const TrainSettings& settings) {
  if (options.profile != Profile::reference) return;
  const bool is_namid = options.defense == defenses::Defense::namid;
  options.batch_size = 256;
  options.clip_grad = 0;
  options.bn_updates = defenses::BnUpdates::reference;
  settings.trades.beta = 1;
  apply_to_attack(settings.attack, is_namid ? 40 : 10);
  if (is_namid) apply_to_namid(options, settings.namid);
}

void check_profile(const TrainOptions& options, const attacks::PgdOptions& attack) {
  if (options.profile == Profile::reference)
    defenses::check_in_reference(options.defense, attack.budget.norm, "profile");
}

}  // namespace namid::train
