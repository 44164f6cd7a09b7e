// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/registry.h"

#include <algorithm>
#include <set>

#include "attacks/toy.h"
#include "namid/attacks/compat.h"
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

/// "attack_norm" of every test of AttackContract that is linked in.
std::set<std::string> contracted_pairs() {
  std::set<std::string> pairs;
  const auto& unit = *::testing::UnitTest::GetInstance();
  for (int i = 0; i < unit.total_test_suite_count(); ++i) {
    const auto& suite = *unit.GetTestSuite(i);
    if (!std::string(suite.name()).ends_with("/AttackContract")) continue;
    for (int j = 0; j < suite.total_test_count(); ++j) {
      const std::string name = suite.GetTestInfo(j)->name();  // Promise/0_apgd_ce_linf_batch1_12
      const auto begin = name.find('_') + 1;
      pairs.insert(name.substr(begin, name.find("_batch") - begin));
    }
  }
  return pairs;
}

TEST(AttackRegistry, EveryAttackIsUnderTheContractInEveryNorm) {
  const auto pairs = contracted_pairs();
  for (const auto& info : attack_table())
    for (const auto norm : info.norms) {
      auto pair = str(info.name, "_", to_string(norm));
      std::replace(pair.begin(), pair.end(), '-', '_');
      EXPECT_TRUE(pairs.count(pair)) << pair;
    }
}

TEST(AttackRegistry, EveryAttackRefusesTheFormsOfOthersThatItDoesNotHave) {
  int with_forms = 0;
  for (const auto& info : attack_table()) {
    NamedAttack attack(info.name);
    OptionSet set;
    attack.add_options(set, "");
    const auto& entries = set.entries();
    if (std::none_of(entries.begin(), entries.end(),
                     [](const OptionEntry& entry) { return entry.key == "compat"; }))
      continue;
    ++with_forms;
    int refused = 0;
    for (const std::string form : EnumNames<Compat>::kNames) {
      set.set("compat", form);
      const auto said = message_of([&] {
        attack(curved({1, 8, 8}), images(2, {1, 8, 8}), labels(2, 4));
      });
      if (said == "no such error") continue;
      ++refused;
      EXPECT_EQ(said.find(str("[", info.name, "] compat: expected none or ")), 0u) << said;
    }
    EXPECT_GE(refused, 2) << info.name << ": nothing has the forms of all";
  }
  EXPECT_GE(with_forms, 10);
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
