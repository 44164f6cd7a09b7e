// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/registry.h"

#include <set>

#include "attacks/toy.h"
#include "namid/attacks/pgd.h"

namespace namid::attacks {
namespace {

TEST(AttackRegistry, EveryEntryIsCompleteAndWorks) {
  std::set<std::string_view> names;
  for (const auto& info : attack_table()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_FALSE(info.summary.empty() || info.paper.empty() || info.norms.empty()) << info.name;
    NamedAttack attack(info.name);
    EXPECT_EQ(attack.info().name, info.name);
    OptionSet set;
    attack.add_options(set, "");
    for (const auto& entry : set.entries())
      if (entry.key == "sinkhorn_iterations") set.set(entry.key, "20");
    for (const auto norm : info.norms) {
      attack.budget() = {norm, norm == Norm::l0 ? 1 : 0.1};
      attack.validate();
      const auto result = attack(curved({1, 8, 8}), images(3, {1, 8, 8}), labels(3, 4));
      EXPECT_EQ(result.success.sizes(), at::IntArrayRef({3})) << info.name;
    }
  }
  EXPECT_TRUE(names.count("pgd"));
}

TEST(AttackRegistry, OptionsSetByTextReachTheAttack) {
  NamedAttack attack("pgd");
  OptionSet set;
  attack.add_options(set, "attack");
  set.set("attack.steps", "3");
  set.set("attack.epsilon", "4/255");
  set.set("attack.start", "gauss-0.001");
  EXPECT_EQ(attack.budget().epsilon, 4.0 / 255);
  const auto model = curved({12});
  const auto x = images(2, {12}), y = labels(2, 4);
  const auto result = attack(model, x, y);
  EXPECT_EQ(result.passes.backwards, 2 * 3);
  const auto direct =
      pgd(model, x, y, {.budget = {.epsilon = 4.0 / 255}, .steps = 3, .start = Start::gauss});
  EXPECT_TRUE(same_bits(result.x_adv, direct.x_adv));
}

TEST(AttackRegistry, CopiesShareNothing) {
  NamedAttack first("pgd");
  NamedAttack second = first;
  second.budget().epsilon = 0.5;
  EXPECT_EQ(first.budget().epsilon, 8.0 / 255);
  first = second;
  EXPECT_EQ(first.budget().epsilon, 0.5);
}

TEST(AttackRegistry, RefusesUnknownNamesAndWrongOptions) {
  EXPECT_EQ(message_of([] { NamedAttack attack("pdg"); }),
            "unknown attack 'pdg'; did you mean 'pgd'? (`namid list attacks` shows all)");
  NamedAttack attack("pgd");
  attack.budget().epsilon = 8;
  EXPECT_THROW(attack.validate(), OptionError);
}

}  // namespace
}  // namespace namid::attacks
