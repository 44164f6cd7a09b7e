// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/compiled.h"

namespace namid::eval {
namespace {

AttackEntry::Function on_compiled(const models::Classifier& compiled,
                                  AttackEntry::Function attack) {
  return [compiled, attack = std::move(attack)](
             const models::Classifier&, const at::Tensor& x, const at::Tensor& y,
             const attacks::Context& context) { return attack(compiled, x, y, context); };
}

void show(AttackEntry& attack, const models::Classifier& compiled) {
  attack.run = on_compiled(compiled, std::move(attack.run));
  if (attack.learn)
    attack.learn = [compiled, learn = std::move(attack.learn)](const Lesson& lesson) {
      return on_compiled(compiled, learn(lesson));
    };
}

}  // namespace

Suite through_engine(Suite suite, const models::Classifier& compiled, const std::string& kernels) {
  if (kernels.empty()) return suite;
  for (auto& attack : suite.attacks) show(attack, compiled);
  if (suite.afterwards)
    suite.afterwards = [compiled, found = std::move(suite.afterwards)](const Ledger& ledger) {
      auto attacks = found(ledger);
      for (auto& attack : attacks) show(attack, compiled);
      return attacks;
    };
  suite.compiled = compiled;
  suite.kernels = kernels;
  return suite;
}

}  // namespace namid::eval
