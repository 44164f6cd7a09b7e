// SPDX-License-Identifier: Apache-2.0
#include "namid/io/records.h"
#include "support/errors.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

namespace namid {

enum class Shape { round, dark_square };
template <>
struct EnumNames<Shape> {
  static constexpr std::array kNames{"round", "dark-square"};
};

namespace io {
namespace {

using testing::message_of;

struct Main {
  std::string name = "x";
  bool fast = false;
  std::uint64_t seed = 0;
  static constexpr auto fields() {
    return std::tuple{field("name", &Main::name, "label"), field("fast", &Main::fast, ""),
                      field("seed", &Main::seed, "seed")};
  }
};

struct Attack {
  double epsilon = 0.25;
  int steps = 10;
  Automatic<double> step_size = {};
  Shape shape = Shape::round;
  std::vector<double> weights = {1, 0.1};
  static constexpr auto fields() {
    return std::tuple{field("epsilon", &Attack::epsilon, "radius", between(0, 1)),
                      field("steps", &Attack::steps, "gradient steps", at_least(1)),
                      field("step_size", &Attack::step_size, "length"),
                      field("shape", &Attack::shape, "form"),
                      field("weights", &Attack::weights, "mixture")};
  }
};

struct Everything {
  Main main;
  Attack attack, inner;
  OptionSet set;
  Everything() { set.add("attack", attack).add("", main).add("attack.inner", inner); }
};

void change(Everything& all) {
  all.main = {"two \"words\"\n\\ \x01 \xc3\xa4", true, ~std::uint64_t{0}};
  all.attack = {8.0 / 255, 40, 1e-7, Shape::dark_square, {}};
  all.inner.weights = {75, 0.1, 1e300};
}

void expect_changed(const Everything& all) {
  Everything expected;
  change(expected);
  for (std::size_t i = 0; i < all.set.entries().size(); ++i)
    EXPECT_EQ(all.set.entries()[i].text(), expected.set.entries()[i].text());
  EXPECT_EQ(all.attack.epsilon, 8.0 / 255);
  EXPECT_EQ(all.attack.step_size, 1e-7);
}

std::string toml_error(std::string_view text) {
  Everything all;
  return message_of<OptionError>([&] { apply_toml(all.set, text, "c.toml"); });
}

std::string json_error(const nlohmann::json& record) {
  Everything all;
  return message_of<OptionError>([&] { apply_json(all.set, record, "r.json"); });
}

TEST(Records, TomlIsReadableAndOrdered) {
  const Everything all;
  const std::string expected =
      "# label\nname = \"x\"\nfast = false\n# seed\nseed = 0\n\n"
      "[attack]\n# radius (a number in [0, 1])\nepsilon = 0.25\n# gradient steps (≥ 1)\nsteps = "
      "10\n"
      "# length\nstep_size = \"auto\"\n# form: round, dark-square\nshape = \"round\"\n"
      "# mixture\nweights = [1,0.1]\n\n[attack.inner]\n# radius";
  EXPECT_EQ(to_toml(all.set).substr(0, expected.size()), expected);
}

TEST(Records, TomlRoundTrip) {
  Everything from, to;
  change(from);
  apply_toml(to.set, to_toml(from.set), "c.toml");
  expect_changed(to);
}

TEST(Records, JsonRoundTripThroughText) {
  Everything from, to;
  change(from);
  const auto record = to_json(from.set);
  EXPECT_EQ(record["attack"]["steps"], 40);
  EXPECT_EQ(record["attack"]["inner"]["weights"].dump(), "[75,0.1,1e+300]");
  EXPECT_EQ(record["seed"], "18446744073709551615");
  EXPECT_EQ(record["attack"]["epsilon"].dump(), "0.03137254901960784");
  apply_json(to.set, nlohmann::json::parse(record.dump()), "r.json");
  expect_changed(to);
}

TEST(Records, TomlTakesFractionsAndWholeNumbers) {
  Everything all;
  apply_toml(all.set, "[attack]\nepsilon = '8/255'\nstep_size = 1\nweights = ['1/4', 2, 0.5]\n",
             "c");
  EXPECT_EQ(all.attack.epsilon, 8.0 / 255);
  EXPECT_EQ(all.attack.step_size, 1.0);
  EXPECT_EQ(all.attack.weights, (std::vector<double>{0.25, 2, 0.5}));
  apply_toml(all.set, "attack.inner.steps = 0x10\nattack.step_size = 'auto'", "c");
  EXPECT_EQ(all.inner.steps, 16);
  EXPECT_TRUE(all.attack.step_size.is_auto());
}

TEST(Records, TomlErrorsNameFileLineAndRemedy) {
  EXPECT_EQ(toml_error("\n[attack]\nsteps = 0"), "c.toml:3: [attack] steps: expected ≥ 1, got 0");
  EXPECT_EQ(toml_error("[attack]\nstep = 1"),
            "c.toml:2: unknown option 'attack.step'; did you mean 'attack.steps'?");
  EXPECT_EQ(toml_error("[atack]\nsteps = 1"),
            "c.toml:1: unknown section 'atack'; did you mean 'attack'?");
  EXPECT_EQ(toml_error("[zzzzzzzz]"), "c.toml:1: unknown section 'zzzzzzzz'");
  EXPECT_EQ(toml_error("attack.seed = 1"),
            "c.toml:1: unknown option 'attack.seed'; did you mean 'attack.steps'?");
  EXPECT_NE(
      toml_error("steps = 1").find("is ambiguous: use one of attack.steps, attack.inner.steps"),
      std::string::npos);
  EXPECT_EQ(toml_error("[attack]\n[attack.steps]"), "c.toml:2: unknown section 'attack.steps'");
  EXPECT_EQ(toml_error("attack = 1"), "c.toml:1: unknown option 'attack'");
  EXPECT_EQ(toml_error("a = ").substr(0, 10), "c.toml:1: ");
  EXPECT_EQ(toml_error("fast = true\n\nfast = false").substr(0, 10), "c.toml:3: ");
}

TEST(Records, TomlRefusesLettersWhereTextsBegin) {
  // Each once made the library's tables of white space undefined: U+00FC, U+0168, U+0401.
  for (const std::string letter : {"\xc3\xbc", "\xc5\xa8", "\xd0\x81"}) {
    EXPECT_EQ(toml_error("[attack]\nsteps = " + letter).substr(0, 10), "c.toml:2: ");
    EXPECT_EQ(toml_error("[attack]\n" + letter + " = 1").substr(0, 10), "c.toml:2: ");
  }
}

TEST(Records, TomlRefusesOtherTypes) {
  EXPECT_EQ(toml_error("name = 5"), "c.toml:1: [options] name: expected a text in quotes, got 5");
  EXPECT_EQ(toml_error("fast = 1"), "c.toml:1: [options] fast: expected true or false, got 1");
  EXPECT_EQ(toml_error("seed = -1"),
            "c.toml:1: [options] seed: expected a whole number ≥ 0, got '-1'");
  const std::string head = "attack.";
  for (const auto text :
       {"steps = 1.0", "steps = true", "steps = [1]", "steps = 2000-01-01", "steps = 99999999999",
        "epsilon = true", "epsilon = nan", "epsilon = inf", "epsilon = '8/0'", "shape = 1",
        "shape = 'oval'", "weights = 1", "weights = [[1]]", "weights = [true]", "weights = ['1,2']",
        "weights = ['']", "weights = [{}]", "step_size = []"})
    EXPECT_NE(toml_error(head + text).find("c.toml:1: [attack] "), std::string::npos)
        << text << " gives " << toml_error(head + text);
}

TEST(Records, OneValueIsFoundInTomlBeforeThereAreOptions) {
  const std::string text = "epochs = 3\n[attack]\nname = \"pgd\"\nepsilon = 0.5\n";
  EXPECT_EQ(find_in_toml(text, "attack.name", "f"), "pgd");
  EXPECT_EQ(find_in_toml(text, "attack.epsilon", "f"), "0.5");
  EXPECT_EQ(find_in_toml(text, "epochs", "f"), "3");
  EXPECT_FALSE(find_in_toml(text, "attack.steps", "f").has_value());
  EXPECT_FALSE(find_in_toml("attack = 3", "attack.name", "f").has_value());
  EXPECT_THROW(find_in_toml("[attack", "attack.name", "f"), OptionError);
}

TEST(Records, JsonErrorsNameTheRecord) {
  using nlohmann::json;
  EXPECT_EQ(json_error(json::array()), "r.json: expected an object of options");
  EXPECT_EQ(json_error({{"attack", {{"steps", 0}}}}),
            "r.json: [attack] steps: expected ≥ 1, got 0");
  EXPECT_EQ(json_error({{"attack", {{"step", 1}}}}),
            "r.json: unknown option 'attack.step'; did you mean 'attack.steps'?");
  EXPECT_EQ(json_error({{"attak", json::object()}}),
            "r.json: unknown section 'attak'; did you mean 'attack'?");
  EXPECT_EQ(json_error({{"seed", nullptr}}), "r.json: [options] seed: expected a whole number");
  EXPECT_EQ(json_error({{"fast", "true"}}),
            "r.json: [options] fast: expected true or false, got true");
}

}  // namespace
}  // namespace io
}  // namespace namid
