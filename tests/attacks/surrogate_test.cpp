// SPDX-License-Identifier: Apache-2.0
// Attacks that see a surrogate while another model judges.
#include "attacks/contract.h"
#include "namid/attacks/pgd.h"
#include "namid/attacks/targets.h"
#include "namid/attacks/transfer.h"

namespace namid::attacks {
namespace {

/// A surrogate whose boundaries are near, but not at, those of curved().
Classifier neighbour(const Shape& shape, std::int64_t classes = 4) {
  const auto first = wave({6, entries(shape)}, 1.5, 0.41, 0.6);
  const auto second = wave({classes, 6}, 2, 0.9, 1.3);
  return Classifier(
      [=](const at::Tensor& x) {
        return at::linear(at::tanh(at::linear(x.flatten(1) - 0.5, first)), second);
      },
      {.name = "neighbour", .num_classes = classes, .input_shape = shape}, {first, second});
}

NamedAttack pgd_of(double epsilon, int restarts = 1, bool targeted = false) {
  NamedAttack attack("pgd");
  OptionSet set;
  attack.add_options(set, "attack");
  set.set("attack.steps", "10");
  set.set("attack.restarts", std::to_string(restarts));
  set.set("attack.targeted", targeted ? "true" : "false");
  attack.budget().epsilon = epsilon;
  return attack;
}

class Transfer : public ::testing::Test {
 protected:
  Shape shape{1, 4, 4};
  Classifier target = curved(shape), surrogate = neighbour(shape);
  at::Tensor x = images(40, shape);
  at::Tensor y = target(x).argmax(1);
};

TEST_F(Transfer, SuccessIsTheTargetsWordOnWhatTheAttackMadeOnTheSurrogate) {
  const auto attack = pgd_of(0.05);
  const auto seen = attack(surrogate, x, y);
  const auto result = transfer(attack, surrogate, target, x, y);
  EXPECT_TRUE(same_bits(result.x_adv, seen.x_adv));
  EXPECT_TRUE(at::equal(result.loss, seen.loss));
  EXPECT_TRUE(at::equal(result.success, target(seen.x_adv).argmax(1) != y));
  EXPECT_FALSE(at::equal(result.success, seen.success)) << "the two models differ";
  EXPECT_EQ(result.success.numel(), 40) << "every sample counts";
}

TEST_F(Transfer, ThroughTheTargetItselfItIsTheAttack) {
  for (const int restarts : {1, 3}) {
    const auto attack = pgd_of(0.08, restarts);
    const auto direct = attack(target, x, y);
    const auto through = transfer(attack, target, target, x, y);
    EXPECT_TRUE(same_bits(through.x_adv, direct.x_adv)) << restarts;
    EXPECT_TRUE(at::equal(through.success, direct.success));
    EXPECT_EQ(through.passes.forwards, direct.passes.forwards);
  }
}

TEST_F(Transfer, TheTargetSaysWhichRowsARoundHasLeft) {
  const auto once = transfer(pgd_of(0.1, 1), surrogate, target, x, y);
  const auto five = transfer(pgd_of(0.1, 5), surrogate, target, x, y);
  EXPECT_GE(five.success.sum().item<std::int64_t>(), once.success.sum().item<std::int64_t>());
  EXPECT_TRUE(at::equal(five.success, target(five.x_adv).argmax(1) != y));
  const auto left = once.success.logical_not();
  ASSERT_TRUE(left.any().item<bool>());
  EXPECT_TRUE((five.forwards.masked_select(left) > 11).all().item<bool>())
      << "what the surrogate already takes for another class is attacked again";
}

TEST_F(Transfer, CountsTheSurrogatesPassesAlone) {
  std::int64_t rows = 0;
  const Classifier counted(
      [&](const at::Tensor& at) {
        rows += at.size(0);
        return target(at);
      },
      target.info());
  Passes passes;
  const auto result = transfer(pgd_of(0.1), surrogate, counted, x, y, {.passes = &passes});
  EXPECT_EQ(result.passes.forwards, 40 * 11);
  EXPECT_EQ(passes.backwards, 40 * 10);
  EXPECT_EQ(rows, 40) << "one forward of the target, that no counter sees";
}

TEST_F(Transfer, TargetedSuccessIsTheClassReachedOnTheTarget) {
  const auto towards = (y + 1) % 4;
  const auto result = transfer(pgd_of(0.3, 1, true), surrogate, target, x, towards);
  EXPECT_TRUE(at::equal(result.success, target(result.x_adv).argmax(1) == towards));
  EXPECT_TRUE(result.success.any().item<bool>());
}

TEST_F(Transfer, LeavesBothModelsAsTheyWere) {
  target.train();
  surrogate.train();
  for (const auto* model : {&target, &surrogate})
    for (auto& parameter : model->parameters()) parameter.requires_grad_(true);
  const auto result = transfer(pgd_of(0.1), surrogate, target, x, y);
  EXPECT_FALSE(result.x_adv.requires_grad());
  for (const auto* model : {&target, &surrogate}) {
    EXPECT_TRUE(model->is_training());
    for (const auto& parameter : model->parameters()) EXPECT_TRUE(parameter.requires_grad());
  }
}

TEST_F(Transfer, EveryAttackOfTheRegistryCanBeTransferred) {
  const Shape square{1, 8, 8};
  const auto judge = curved(square), other = neighbour(square);
  const auto some = images(3, square);
  const auto labels_of = judge(some).argmax(1);
  for (const auto& info : attack_table()) {
    NamedAttack attack(info.name);
    OptionSet set;
    attack.add_options(set, "");
    for (const auto& entry : set.entries()) {
      if (entry.key == "steps" || entry.key == "draws") set.set(entry.key, "3");
      if (entry.key == "queries" || entry.key == "sinkhorn_iterations") set.set(entry.key, "20");
      if (entry.key == "restarts" || entry.key == "searches") set.set(entry.key, "2");
    }
    attack.budget() = {info.norms.front(), 0.1};
    const auto result = transfer(attack, other, judge, some, labels_of);
    EXPECT_TRUE(at::equal(result.success, judge(result.x_adv).argmax(1) != labels_of)) << info.name;
  }
}

TEST_F(Transfer, ModelsThatDoNotFitAreRefusedBeforeAnyPass) {
  Passes passes;
  const auto refusal = [&](const Classifier& other) {
    return message_of([&] { transfer(pgd_of(0.1), other, target, x, y, {.passes = &passes}); });
  };
  EXPECT_EQ(refusal(neighbour(shape, 5)),
            "[pgd] surrogate: expected 4 classes as the model has, got 5");
  EXPECT_EQ(refusal(neighbour({16})),
            "[pgd] surrogate: expected a model of images of shape [1, 4, 4], got one of [16]");
  EXPECT_EQ(passes.forwards, 0);
}

}  // namespace
}  // namespace namid::attacks
