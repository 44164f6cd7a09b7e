// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/suite.h"

#include "eval/toy.h"
#include "namid/core/error.h"

namespace namid::eval {
namespace {

std::string names(const Suite& suite) {
  std::string text;
  for (const auto& attack : suite.attacks) text += (text.empty() ? "" : " ") + attack.name;
  return text;
}

Suite suite_of(const std::string& text, attacks::Norm norm = attacks::Norm::linf,
               SuiteOptions options = {}) {
  options.suite = text;
  return make_suite(options, {.budget = {norm, 0.1}});
}

std::string refusal(const std::string& text, attacks::Norm norm = attacks::Norm::linf) {
  return message_of<OptionError>([&] { suite_of(text, norm); });
}

TEST(Suite, AutoAttackIsThatOf2023) {
  for (const auto norm : {attacks::Norm::linf, attacks::Norm::l2, attacks::Norm::l1}) {
    const auto suite = suite_of("autoattack", norm);
    EXPECT_EQ(names(suite), "apgd-ce apgd-t fab-t square");
    EXPECT_EQ(suite.combine, Combine::worst_case);
    const bool l1 = norm == attacks::Norm::l1;
    EXPECT_EQ(suite.attacks[0].rounds(10), l1 ? 5 : 1);
    EXPECT_EQ(suite.attacks[1].rounds(10), l1 ? 5 : 9);
    EXPECT_EQ(suite.attacks[2].rounds(10), 9);
    EXPECT_EQ(suite.attacks[3].rounds(10), 1);
    for (const auto& attack : suite.attacks) {
      EXPECT_EQ(attack.budget.norm, norm);
      EXPECT_EQ(attack.budget.epsilon, 0.1);
      EXPECT_FALSE(attack.sequential);
    }
    EXPECT_HAS(suite.attacks[0].options, "steps=100");
    EXPECT_HAS(suite.attacks[3].options, "queries=5000");
  }
}

TEST(Suite, TargetsNeverExceedTheClassesThereAre) {
  const auto suite = suite_of("autoattack");
  EXPECT_EQ(suite.attacks[1].rounds(4), 3);
  EXPECT_EQ(suite.attacks[2].rounds(2), 1);
}

TEST(Suite, TooFewClassesAreRefusedWithWhatCanBeRun) {
  const auto suite = suite_of("autoattack");
  EXPECT_NO_THROW(check_classes(suite, 4));
  EXPECT_EQ(message_of<OptionError>([&] { check_classes(suite, 2); }),
            "[evaluate] apgd-t: needs 4 classes, the model has 2; give --suite 'apgd-ce, fab-t, "
            "square'");
  EXPECT_NO_THROW(check_classes(suite_of("apgd-ce, fab-t, square"), 2));
}

TEST(Suite, TheReferenceVersionHas40Iterations) {
  const auto suite =
      suite_of("autoattack", attacks::Norm::linf, {.aa_version = AutoAttackVersion::reference});
  for (const std::size_t i : {0, 1, 2}) EXPECT_HAS(suite.attacks[i].options, "steps=40");
  EXPECT_HAS(suite.attacks[3].options, "queries=5000");
}

TEST(Suite, PlusRandAndQuickAreAsListed) {
  const auto plus = suite_of("autoattack-plus");
  EXPECT_EQ(names(plus), "apgd-ce apgd-dlr fab square apgd-t fab-t");
  for (const std::size_t i : {0, 1, 2}) EXPECT_EQ(plus.attacks[i].rounds(10), 5);
  const auto rand = suite_of("autoattack-rand");
  EXPECT_EQ(names(rand), "apgd-ce apgd-dlr");
  EXPECT_HAS(rand.attacks[0].options, "eot=20");
  const auto quick = suite_of("quick");
  EXPECT_EQ(names(quick), "apgd-ce apgd-t");
  EXPECT_EQ(quick.attacks[1].rounds(10), 3);
}

TEST(Suite, CheaperProtocolsHaveNamesOfTheirOwn) {
  const auto two = suite_of("apgd-ce+t"), whole = suite_of("autoattack");
  EXPECT_EQ(two.name, "apgd-ce+t") << "never autoattack: what is reported is another figure";
  EXPECT_EQ(names(two), "apgd-ce apgd-t");
  EXPECT_EQ(two.combine, Combine::worst_case);
  for (const std::size_t i : {0, 1}) {
    EXPECT_EQ(two.attacks[i].options, whole.attacks[i].options);
    EXPECT_EQ(two.attacks[i].rounds(10), i == 0 ? 1 : 9);
    EXPECT_EQ(suite_of("apgd-ce+t", attacks::Norm::l1).attacks[i].rounds(10), 5);
  }
  const auto malt = suite_of("malt");
  EXPECT_EQ(names(malt), "malt");
  EXPECT_EQ(malt.combine, Combine::worst_case);
  EXPECT_EQ(malt.attacks[0].rounds(1000), 9);
  EXPECT_HAS(refusal("apgd-ce+tt"), "did you mean 'apgd-ce+t'?");
  EXPECT_HAS(refusal("a3", attacks::Norm::l1), "norm: expected linf, l2, got l1");
}

TEST(Suite, AListTakesOptionsInParentheses) {
  const auto suite = suite_of(" apgd-ce( steps = 7, restarts=2 ) ,square(queries=30)");
  EXPECT_EQ(names(suite), "apgd-ce square");
  EXPECT_EQ(suite.combine, Combine::each);
  EXPECT_HAS(suite.attacks[0].options, "steps=7");
  EXPECT_EQ(suite.attacks[0].rounds(10), 2);
  EXPECT_HAS(suite.attacks[1].options, "queries=30");
}

TEST(Suite, RefusalsSayWhatIsWrong) {
  EXPECT_HAS(refusal("autoatack"), "did you mean 'autoattack'?");
  EXPECT_HAS(refusal("sqare"), "did you mean 'square'?");
  EXPECT_HAS(refusal("square(querys=3)"), "did you mean");
  EXPECT_HAS(refusal("square(queries=0)"), "queries: expected");
  EXPECT_HAS(refusal("square(queries)"), "expected key=value");
  EXPECT_HAS(refusal("square(queries=3"), "unmatched parenthesis");
  EXPECT_HAS(refusal("square)"), "unmatched parenthesis");
  EXPECT_HAS(refusal("square,,fab"), "name of an attack between commas");
  EXPECT_HAS(refusal("square, square"), "stands twice");
  EXPECT_HAS(refusal("square(epsilon=0.1)"), "one for the whole suite");
  EXPECT_HAS(refusal("pgd(targeted=true)"), "untargeted");
  EXPECT_HAS(message_of<OptionError>([] {
               make_suite({.suite = "autoattack"}, {.budget = {attacks::Norm::linf, 8}});
             }),
             "8/255");
}

TEST(Suite, AListsAttacksMayAimAtClasses) {
  const auto suite = suite_of("pgd(targets=all, steps=3), apgd-t(targets=2)");
  EXPECT_HAS(suite.attacks[0].options, "targets=all");
  EXPECT_EQ(suite.attacks[1].rounds(10), 2);
  const auto model = toy_model();
  const auto x = toy_data(20).images.to(at::kFloat) / 255;
  const auto y = toy_data(20).labels;
  const auto aimed = suite.attacks[0].run(model, x, y, {});
  EXPECT_TRUE(at::equal(aimed.success, model(aimed.x_adv).argmax(1) != y)) << "of two classes";
  EXPECT_GT(aimed.success.sum().item<std::int64_t>(),
            (model(x).argmax(1) != y).sum().item<std::int64_t>());
  EXPECT_HAS(refusal("fab(targets=all)"), "[fab] targets: the attack cannot move");
  EXPECT_HAS(refusal("pgd(targets=given)"), "expected least-likely, random or all");
  EXPECT_HAS(refusal("pgd(targets=every)"), "least-likely");
  EXPECT_HAS(refusal("fmn", attacks::Norm::l0),
             "norm: expected linf or l2 or l1 or wasserstein, got l0");
}

TEST(Suite, ParityAsksForTheReferencesDraws) {
  const auto suite =
      suite_of("autoattack", attacks::Norm::linf, {.compat = attacks::Compat::autoattack});
  for (const auto& attack : suite.attacks) {
    EXPECT_TRUE(attack.sequential);
    EXPECT_HAS(attack.options, "compat=autoattack");
  }
  EXPECT_HAS(message_of<OptionError>(
                 [] { make_suite({.suite = "pgd", .compat = attacks::Compat::autoattack}, {}); }),
             "not part of AutoAttack");
}

}  // namespace
}  // namespace namid::eval
