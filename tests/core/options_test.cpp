// SPDX-License-Identifier: Apache-2.0
#include "namid/core/options.h"

#include <gtest/gtest.h>

#include "namid/core/option_set.h"
#include "support/errors.h"

namespace namid {

enum class Colour { red, dark_blue };
template <>
struct EnumNames<Colour> {
  static constexpr std::array kNames{"red", "dark-blue"};
};

namespace {

using testing::message_of;

struct Inner {
  double epsilon = 8.0 / 255;
  static constexpr auto fields() {
    return std::tuple{field("epsilon", &Inner::epsilon, "radius", between(0, 1))};
  }
};
NAMID_CHECK_FIELDS(Inner);

struct Outer {
  Inner inner = {};
  int steps = 10;
  Automatic<double> step_size = {};
  bool fast = false;
  Colour colour = Colour::red;
  std::string name = "x";
  std::vector<int> milestones = {75, 90};
  std::uint64_t seed = 0;
  static constexpr auto fields() {
    return std::tuple{field("inner", &Outer::inner, ""),
                      field("steps", &Outer::steps, "gradient steps", at_least(1)),
                      field("step_size", &Outer::step_size, "length of a step", above(0)),
                      field("fast", &Outer::fast, "hurry"),
                      field("colour", &Outer::colour, "paint"),
                      field("name", &Outer::name, "label"),
                      field("milestones", &Outer::milestones, "epochs", at_least(1)),
                      field("seed", &Outer::seed, "seed")};
  }
};
NAMID_CHECK_FIELDS(Outer);

TEST(Options, ArityCountsEveryMember) {
  EXPECT_EQ(detail::arity<Inner>(), 1u);
  EXPECT_EQ(detail::arity<Outer>(), 8u);
}

TEST(Options, ValidateNamesComponentFieldRangeAndValue) {
  EXPECT_NO_THROW(validate(Outer{}, "pgd"));
  EXPECT_EQ(message_of<OptionError>([] { validate(Outer{.steps = 0}, "pgd"); }),
            "[pgd] steps: expected ≥ 1, got 0");
  EXPECT_EQ(message_of<OptionError>([] { validate(Outer{.inner = {.epsilon = 8}}, "pgd"); }),
            "[pgd] epsilon: expected a number in [0, 1], got 8");
  EXPECT_EQ(message_of<OptionError>([] { validate(Outer{.step_size = 0.0}, "pgd"); }),
            "[pgd] step_size: expected > 0, got 0");
  EXPECT_THROW(validate(Outer{.inner = {.epsilon = std::nan("")}}, "pgd"), OptionError);
  EXPECT_THROW(validate(Outer{.milestones = {3, 0}}, "pgd"), OptionError);
}

TEST(OptionSet, SetsEveryTypeFromText) {
  Outer options;
  OptionSet set;
  set.add("attack", options);
  set.set("attack.epsilon", "8/255");
  set.set("steps", "40");
  set.set("attack.step_size", "2e-3");
  set.set("attack.fast", "true");
  set.set("attack.colour", "dark-blue");
  set.set("attack.name", "two words");
  set.set("attack.milestones", "3,5,8");
  set.set("attack.seed", "18446744073709551615");
  EXPECT_EQ(options.inner.epsilon, 8.0 / 255);
  EXPECT_EQ(options.steps, 40);
  EXPECT_EQ(options.step_size, 2e-3);
  EXPECT_TRUE(options.fast);
  EXPECT_EQ(options.colour, Colour::dark_blue);
  EXPECT_EQ(options.name, "two words");
  EXPECT_EQ(options.milestones, (std::vector<int>{3, 5, 8}));
  EXPECT_EQ(options.seed, ~std::uint64_t{0});
  set.set("attack.step_size", "auto");
  EXPECT_TRUE(options.step_size.is_auto());
}

TEST(OptionSet, TextReadsBackExactly) {
  Outer options{.inner = {.epsilon = 8.0 / 255}, .step_size = 0.1};
  Outer copy;
  OptionSet from, to;
  from.add("", options);
  to.add("", copy);
  for (const auto& entry : from.entries()) to.set(entry.path(), entry.text());
  EXPECT_EQ(copy.inner.epsilon, options.inner.epsilon);
  EXPECT_EQ(copy.step_size, options.step_size);
}

TEST(OptionSet, WrongInputSaysWhatAndHowToMend) {
  Outer options;
  OptionSet set;
  set.add("attack", options);
  EXPECT_EQ(message_of<OptionError>([&] { set.set("attack.steps", "0"); }),
            "[attack] steps: expected ≥ 1, got 0");
  EXPECT_EQ(message_of<OptionError>([&] { set.set("attack.steps", "ten"); }),
            "[attack] steps: expected a whole number, got 'ten'");
  EXPECT_EQ(message_of<OptionError>([&] { set.set("attack.colour", "dark-blu"); }),
            "[attack] colour: expected one of red, dark-blue; got 'dark-blu' "
            "(did you mean 'dark-blue'?)");
  EXPECT_EQ(message_of<OptionError>([&] { set.set("attack.step", "1"); }),
            "unknown option 'attack.step'; did you mean 'attack.steps'?");
  EXPECT_THROW(set.set("attack.epsilon", "8/0"), OptionError);
  EXPECT_THROW(set.set("attack.epsilon", "1e999"), OptionError);
  EXPECT_THROW(set.set("attack.seed", "-1"), OptionError);
  EXPECT_EQ(options.steps, 10) << "a rejected value changes nothing";
}

struct Perhaps {
  Automatic<Colour> colour = {};
  static constexpr auto fields() {
    return std::tuple{field("colour", &Perhaps::colour, "paint; auto: any")};
  }
};
NAMID_CHECK_FIELDS(Perhaps);

TEST(OptionSet, AChoiceMayBeLeftToNamid) {
  Perhaps options;
  OptionSet set;
  set.add("", options);
  EXPECT_EQ(set.find("colour").choices, (std::vector<std::string>{"auto", "red", "dark-blue"}));
  EXPECT_EQ(set.find("colour").text(), "auto");
  set.set("colour", "dark-blue");
  EXPECT_EQ(options.colour, Automatic<Colour>(Colour::dark_blue));
  set.set("colour", "auto");
  EXPECT_TRUE(options.colour.is_auto());
  EXPECT_EQ(message_of<OptionError>([&] { set.set("colour", "rad"); }),
            "[options] colour: expected one of red, dark-blue; got 'rad' (did you mean 'red'?)");
}

TEST(OptionSet, ASectionMayLeaveShortNamesToOthers) {
  Perhaps first, second;
  OptionSet set;
  set.add("wall", first).add("door", second, false);
  set.set("colour", "red");
  EXPECT_EQ(first.colour, Automatic<Colour>(Colour::red));
  EXPECT_TRUE(second.colour.is_auto());
  set.set("door.colour", "dark-blue");
  EXPECT_EQ(second.colour, Automatic<Colour>(Colour::dark_blue));
  OptionSet alone;
  alone.add("door", second, false);
  EXPECT_THROW(alone.find("colour"), OptionError);
}

TEST(OptionSet, FlagsUseDashes) {
  Outer options;
  OptionSet set;
  set.add("attack", options);
  EXPECT_EQ(set.find("attack.step_size").flag(), "--attack-step-size");
  EXPECT_NE(option_table_markdown(set).find("| `--attack-colour` | `red`, `dark-blue` | `red` |"),
            std::string::npos);
}

}  // namespace
}  // namespace namid
