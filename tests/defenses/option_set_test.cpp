// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/option_set.h"

#include <gtest/gtest.h>

#include <set>

namespace namid::defenses {
namespace {

std::set<std::string> sections(Defense defense) {
  DefenseOptions options;
  OptionSet set;
  add_options(set, defense, options);
  std::set<std::string> found;
  for (const auto& entry : set.entries()) found.insert(entry.section);
  return found;
}

TEST(DefenseOptionSet, HasTheSectionsThatTheDefenceReads) {
  using Names = std::set<std::string>;
  EXPECT_EQ(sections(Defense::natural), Names());
  EXPECT_EQ(sections(Defense::standard), Names{"attack"});
  EXPECT_EQ(sections(Defense::mma_reference), Names{"attack"});
  EXPECT_EQ(sections(Defense::trades), (Names{"attack", "trades"}));
  EXPECT_EQ(sections(Defense::mart), (Names{"attack", "mart"}));
  EXPECT_EQ(sections(Defense::mma), (Names{"attack", "mma"}));
  EXPECT_EQ(sections(Defense::at_mim), (Names{"attack", "at_mim", "namid"}));
  EXPECT_EQ(sections(Defense::namid), (Names{"attack", "namid"}));
  EXPECT_EQ(sections(Defense::namid_t), (Names{"attack", "namid", "trades"}));
  EXPECT_EQ(sections(Defense::namid_m), (Names{"attack", "namid", "mart"}));
}

TEST(DefenseOptionSet, RefersToTheOptions) {
  DefenseOptions options;
  OptionSet set;
  add_options(set, Defense::namid_t, options);
  set.set("trades.beta", "3");
  set.set("attack.steps", "7");
  set.set("alpha", "2");
  EXPECT_EQ(options.trades.beta, 3);
  EXPECT_EQ(options.attack.steps, 7);
  EXPECT_EQ(options.namid.alpha, 2);
}

}  // namespace
}  // namespace namid::defenses
