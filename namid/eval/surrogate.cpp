// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/surrogate.h"

#include <nlohmann/json.hpp>

#include "namid/attacks/transfer.h"
#include "namid/models/weights.h"

namespace namid::eval {
namespace {

AttackEntry::Function seeing(const models::Classifier& surrogate, AttackEntry::Function attack) {
  return [surrogate, attack = std::move(attack)](const models::Classifier& model,
                                                 const at::Tensor& x, const at::Tensor& y,
                                                 const attacks::Context& context) {
    auto result = attack(surrogate, x, y, context);
    attacks::judge_on(result, model, y, false);
    return result;
  };
}

}  // namespace

Suite through_surrogate(Suite suite, const models::Classifier& surrogate) {
  for (auto& attack : suite.attacks) {
    attack.name = "transfer:" + attack.name;
    attack.run = seeing(surrogate, std::move(attack.run));
    if (attack.learn)
      attack.learn = [surrogate, learn = std::move(attack.learn)](const Lesson& lesson) {
        return seeing(surrogate, learn(lesson));
      };
  }
  suite.surrogate = surrogate;
  return suite;
}

Suite through_surrogate_in_bfloat16(Suite suite, const models::Classifier& surrogate) {
  suite = through_surrogate(std::move(suite), surrogate);
  suite.precision = "bfloat16";
  return suite;
}

nlohmann::json surrogate_json(const models::Classifier& surrogate) {
  const auto state = surrogate.state_dict();
  return {{"name", surrogate.info().name},
          {"sha256", state.empty() ? "" : models::weights_sha256(state)}};
}

}  // namespace namid::eval
