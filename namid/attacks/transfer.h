// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "namid/attacks/registry.h"

namespace namid::attacks {

/// OptionError unless the surrogate takes images of the target's shape and tells as many classes.
void check_surrogate(const Classifier& surrogate, const Classifier& target, std::string_view where);

/// Sets success to what the target model says at x_adv: not classified as y, or where `targeted`
/// classified as y. One forward of the target, in eval mode, which no counter sees.
void judge_on(AttackResult& result, const Classifier& target, const at::Tensor& y, bool targeted);

/// Transfer, Papernot et al. 2016 (arXiv:1605.07277, papernot2016): the attack sees the surrogate
/// alone, the target judges the outcome. Every row of x is attacked and counts, whatever either
/// model makes of the natural image or the surrogate of x_adv. Between rounds (rounds.h) the target
/// says which rows are left; within a round the attack ends, and chooses among its points, by the
/// surrogate. `loss` and `passes` are the surrogate's; the target takes one forward a round
/// besides. Hooks of the context act on the surrogate. OptionError as check_surrogate and the
/// attack.
AttackResult transfer(const NamedAttack& attack, const Classifier& surrogate,
                      const Classifier& target, const at::Tensor& x, const at::Tensor& y,
                      const Context& context = {});

}  // namespace namid::attacks
