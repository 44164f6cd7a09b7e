// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "namid/attacks/registry.h"

namespace namid::attacks {

/// Where a targeted attack moves a sample of label y to. given: the caller says; least_likely: the
/// class of the smallest logit at x (Kurakin et al. 2017, arXiv:1611.01236, kurakin2017, Sec. 2);
/// random: a class drawn evenly for each sample; all: every class in turn, the best result kept. y
/// itself is never a target.
enum class Targets { given, least_likely, random, all };

/// The class c ≠ y of the smallest logit (N, C), ties: the lowest class; int64 (N).
at::Tensor least_likely_class(const at::Tensor& logits, const at::Tensor& y);

/// A class c ≠ y of `classes` for each sample, by (stream, id) alone; int64 (N).
at::Tensor random_class(const at::Tensor& y, std::int64_t classes, const Random& random,
                        const SampleIds& ids);

/// The n-th class after y, cyclically: over n = 1 .. classes − 1 each other class once; int64 (N).
at::Tensor class_after(const at::Tensor& y, std::int64_t n, std::int64_t classes);

/// Whether the attack's options say that y holds target classes.
bool is_targeted(NamedAttack attack);

/// The attack with `targeted` switched on. OptionError for one that cannot move towards a class.
NamedAttack towards_targets(const NamedAttack& attack);

struct TargetedResult {
  AttackResult attack;  ///< success: classified as the target; passes: of all that was run
  at::Tensor target;    ///< int64 (N): class that x_adv was moved towards
};

/// Moves x towards its targets. y: int64 (N), labels; with `given` the target classes themselves.
/// least_likely takes one forward more; random draws from the stream "targets" of context's seed.
/// all: `attack` on each other class, as it would be alone (classes − 1 times the passes). Kept for
/// each sample: a success before a failure; of successes the one nearest to x in the budget's norm,
/// of failures the one of the highest loss; of equals the earlier class after y. OptionError as
/// towards_targets and the attack.
TargetedResult attack_targets(const NamedAttack& attack, const Classifier& model,
                              const at::Tensor& x, const at::Tensor& y, Targets targets,
                              const Context& context = {});

}  // namespace namid::attacks

namespace namid {
template <>
struct EnumNames<attacks::Targets> {
  static constexpr std::array kNames{"given", "least-likely", "random", "all"};
};
}  // namespace namid
