// SPDX-License-Identifier: Apache-2.0
// Defects of published attack code that any attack could have: each attack of the registry, in each
// of its norms, has none of them. Which defect each test stands for: docs/pitfalls.md.
#include "attacks/contract.h"
#include "namid/attacks/norms.h"

namespace namid::attacks {
namespace {

/// Each attack, made quick, in each of its norms.
void for_each_attack(
    const std::function<void(const NamedAttack& attack, const Budget& budget)>& check) {
  for (const auto& info : attack_table()) {
    const auto* length = info.name == "square"  ? "queries"
                         : info.name == "noise" ? "draws"
                                                : "steps";
    Contract contract{.attack = std::string(info.name), .options = {{length, "6"}}};
    if (info.name == "fgsm") contract.options.clear();
    if (info.name == "projected-sinkhorn")
      contract.options.emplace_back("sinkhorn_iterations", "20");
    for (const auto norm : info.norms) {
      SCOPED_TRACE(str(info.name, " ", to_string(norm)));
      const Budget budget{norm, usual_radius(norm)};
      check(contracted(contract, budget), budget);
    }
  }
}

/// A radius in which nothing is fooled; one entry of l0 may go across the box.
double hardly_any(Norm norm) {
  return norm == Norm::l0 ? 0 : 1e-6;
}

TEST(AttackPitfalls, EpsilonZeroGivesNoNaNAndTheCleanAccuracy) {
  const auto model = curved({1, 3, 4});
  const auto x = images(8, {1, 3, 4}), y = labels(8, 4);
  for_each_attack([&](NamedAttack attack, const Budget&) {
    attack.budget().epsilon = 0;
    const auto result = attack(model, x, y);
    EXPECT_TRUE(same_bits(result.x_adv, x));
    EXPECT_TRUE(at::isfinite(result.loss).all().item<bool>());
    EXPECT_TRUE(at::equal(result.success, model(x).argmax(1) != y));
  });
}

TEST(AttackPitfalls, ImagesOutsideTheBoxAreRefusedNotClipped) {
  const auto model = curved({1, 3, 4});
  auto x = images(3, {1, 3, 4});
  const auto y = labels(3, 4);
  for (const float outside : {-0.1f, 1.1f}) {
    x.flatten(1)[1][4] = outside;
    for_each_attack([&](const NamedAttack& attack, const Budget&) {
      Passes passes;
      EXPECT_THROW(attack(model, x, y, {.passes = &passes}), OptionError);
      EXPECT_EQ(passes.forwards, 0);
    });
  }
}

TEST(AttackPitfalls, LogitsThatAreNotFiniteEndEveryAttackUnderItsName) {
  const auto inner = curved({1, 3, 4});
  const Classifier broken([inner](const at::Tensor& x) { return inner(x) / 0 * 0; }, inner.info());
  const auto x = images(3, {1, 3, 4}), y = labels(3, 4);
  for_each_attack([&](const NamedAttack& attack, const Budget&) {
    const auto said = testing::message_of<NumericError>([&] { attack(broken, x, y); });
    EXPECT_EQ(said.find(str("[", attack.info().name, "] ")), 0u) << said;
  });
}

TEST(AttackPitfalls, LabelsAreTheGivenOnesNotThePredictions) {
  const auto model = curved({1, 3, 4});
  const auto x = images(6, {1, 3, 4}), other = (model(x).argmax(1) + 1) % 4;
  for_each_attack([&](NamedAttack attack, const Budget& budget) {
    EXPECT_TRUE(attack(model, x, other).success.all().item<bool>()) << budget.epsilon;
    attack.budget().epsilon = hardly_any(budget.norm);
    EXPECT_FALSE(attack(model, x, model(x).argmax(1)).success.any().item<bool>());
  });
}

TEST(AttackPitfalls, HalfPrecisionLogitsDoNotOverflow) {
  const auto inner = curved({1, 3, 4});
  const Classifier half([=](const at::Tensor& x) { return inner(x * 1).to(at::kHalf); },
                        {.name = "half", .num_classes = 4, .input_shape = {1, 3, 4}});
  const auto x = images(5, {1, 3, 4}), y = inner(x).argmax(1);
  for_each_attack([&](const NamedAttack& attack, const Budget&) {
    const auto result = attack(half, x, y);
    EXPECT_EQ(result.loss.scalar_type(), at::kFloat);
    EXPECT_TRUE(at::isfinite(result.loss).all().item<bool>());
    EXPECT_TRUE(at::isfinite(result.x_adv).all().item<bool>());
    EXPECT_TRUE(at::equal(result.success, half(result.x_adv).argmax(1) != y));
  });
}

TEST(AttackPitfalls, PassesOfSamplesThatHoldOutAreCountedToo) {
  const auto inner = curved({1, 3, 4});
  std::int64_t rows = 0;
  const Classifier model(
      [&](const at::Tensor& x) {
        rows += x.size(0);
        return inner(x);
      },
      inner.info());
  const auto x = images(6, {1, 3, 4}), y = inner(x).argmax(1);
  for_each_attack([&](NamedAttack attack, const Budget& budget) {
    attack.budget().epsilon = hardly_any(budget.norm);
    rows = 0;
    const auto result = attack(model, x, y);
    ASSERT_FALSE(result.success.any().item<bool>());
    EXPECT_EQ(result.passes.forwards, rows);
    const auto name = attack.info().name;
    // Input diversity asks once, with one image, which sizes the model takes.
    const std::int64_t asked = name == "di-fgsm" || name == "ti-dim" ? 1 : 0;
    // DeepFool forwards those that stay once more when others leave, which is not their own.
    const auto own = result.forwards.sum().item<std::int64_t>() + asked;
    EXPECT_TRUE(name == "deepfool" ? own <= rows : own == rows) << own << " of " << rows;
    EXPECT_GE(result.forwards.min().item<std::int64_t>(), name == "fgsm" ? 2 : 6);
  });
}

TEST(AttackPitfalls, NoAttackAimsAtMoreClassesThanThereAre) {
  for (const auto* name : {"apgd-t", "fab-t", "malt"}) {
    const NamedAttack attack(name);
    for (const std::int64_t classes : {4, 5, 10, 1000})
      EXPECT_EQ(attack.rounds(classes), std::min<std::int64_t>(9, classes - 1)) << name;
  }
  EXPECT_EQ(NamedAttack("fab-t").rounds(2), 1);
}

}  // namespace
}  // namespace namid::attacks
