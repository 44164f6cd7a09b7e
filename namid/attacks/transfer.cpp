// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/transfer.h"

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/rounds.h"
#include "namid/attacks/targets.h"
#include "namid/core/error.h"

namespace namid::attacks {

void check_surrogate(const Classifier& surrogate, const Classifier& target,
                     std::string_view where) {
  const auto& of = surrogate.info();
  const auto& wanted = target.info();
  if (of.num_classes != wanted.num_classes)
    throw OptionError(str("[", where, "] surrogate: expected ", wanted.num_classes,
                          " classes as the model has, got ", of.num_classes));
  if (of.input_shape != wanted.input_shape)
    throw OptionError(str("[", where, "] surrogate: expected a model of images of shape ",
                          c10::str(at::IntArrayRef(wanted.input_shape)), ", got one of ",
                          c10::str(at::IntArrayRef(of.input_shape))));
}

void judge_on(AttackResult& result, const Classifier& target, const at::Tensor& y, bool targeted) {
  const AttackScope scope(target);
  result.success = fooled(target(result.x_adv), y, targeted);
}

AttackResult transfer(const NamedAttack& attack, const Classifier& surrogate,
                      const Classifier& target, const at::Tensor& x, const at::Tensor& y,
                      const Context& context) {
  check_surrogate(surrogate, target, attack.info().name);
  check_batch(target, x, y, attack.info().name);
  const bool targeted = is_targeted(attack);
  const int count = attack.rounds(target.info().num_classes);
  if (context.sequential) {  // reference order: the rounds run as one
    auto result = attack(surrogate, x, y, context);
    judge_on(result, target, y, targeted);
    return result;
  }
  return run_rounds(attack.info().name, x, y, count, context, [&](const Round& round) {
    Context own = context;
    own.ids = round.ids;
    own.round = round.index;
    auto result = attack(surrogate, round.x, round.y, own);
    judge_on(result, target, round.y, targeted);
    return result;
  });
}

}  // namespace namid::attacks
