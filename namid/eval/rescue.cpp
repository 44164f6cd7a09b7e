// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/rescue.h"

#include <nlohmann/json.hpp>
#include <unordered_set>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/eval/ledger.h"

namespace namid::eval {
namespace {

/// Rounds from `first` on are the attack's own from 0 on, in float32.
AttackEntry::Function once_in_each(const models::Classifier& bfloat16, int first,
                                   AttackEntry::Function attack) {
  return [bfloat16, first, attack = std::move(attack)](const models::Classifier& model,
                                                       const at::Tensor& x, const at::Tensor& y,
                                                       const attacks::Context& context) {
    const int round = context.round.value_or(0);
    if (round < first) return attack(bfloat16, x, y, context);
    auto own = context;
    own.round = round - first;
    auto result = attack(model, x, y, own);
    if (result.round.defined()) result.round = result.round + first;
    return result;
  };
}

}  // namespace

Suite through_bfloat16(Suite suite, const models::Classifier& bfloat16, double near) {
  const auto classes = bfloat16.info().num_classes;
  for (auto& attack : suite.attacks) {
    if (attack.sequential)
      throw OptionError(str("[evaluate] precision: ", attack.name, " repeats the draws of a ",
                            "reference (compat), in float32; leave out --precision"));
    const int first = attack.rounds(classes);
    attack.run = once_in_each(bfloat16, first, std::move(attack.run));
    if (attack.learn)
      attack.learn = [bfloat16, first, learn = std::move(attack.learn)](const Lesson& lesson) {
        return once_in_each(bfloat16, first, learn(lesson));
      };
    attack.rounds = [first](std::int64_t) { return 2 * first; };
    attack.rescue = {.first = first, .near = near};
  }
  suite.bfloat16 = bfloat16;
  suite.precision = str("bfloat16, near ", shortest(near));
  return suite;
}

nlohmann::json rescue_json(const Ledger& ledger, const Suite& suite) {
  std::unordered_set<std::uint64_t> again, broken;
  double near = -1;
  for (const auto& attack : suite.attacks) {
    if (!attack.rescue) continue;
    near = attack.rescue->near;
    for (const auto& attempt : ledger.attempts(attack.name)) {
      if (attempt.round < attack.rescue->first) continue;
      again.insert(attempt.sample);
      if (attempt.success) broken.insert(attempt.sample);
    }
  }
  if (near < 0) return nullptr;
  return {{"near", near}, {"attacked", again.size()}, {"broken", broken.size()}};
}

}  // namespace namid::eval
