// SPDX-License-Identifier: Apache-2.0
// What Square promises beside the contract of all attacks, on vectors, tiny images and five
// dimensions too.
#include "attacks/contract.h"
#include "namid/attacks/square.h"

namespace namid::attacks {
namespace {

class SquareContract : public ShapedBatch {
 protected:
  SquareOptions options() const { return {.budget = budget(), .queries = 30}; }
  AttackResult attack(const SquareOptions& with, std::uint64_t seed = 0) const {
    return square(model, x, y, with, {.random = Random(seed, "square")});
  }
};

TEST_P(SquareContract, StaysInsideBallAndBoxForEveryOption) {
  for (const double epsilon : {1e-7, 1e-3, 0.05, 0.9}) {
    for (const auto windows : {Windows::per_sample, Windows::shared}) {
      auto with = options();
      with.budget.epsilon = epsilon;
      with.windows = windows;
      expect_inside(attack(with), x, with.budget);
    }
  }
}

TEST_P(SquareContract, IsNotWeakerThanTheCleanPoint) {
  for (const auto loss : {AttackLoss::margin, AttackLoss::cross_entropy}) {
    for (const int queries : {1, 2, 3, 30}) {
      auto with = options();
      with.loss = loss;
      with.queries = queries;
      const auto clean = attack_loss(loss, model(x), y);
      const auto result = attack(with);
      EXPECT_TRUE(((result.loss >= clean - 1e-5) | result.success).all().item<bool>());
    }
  }
}

TEST_P(SquareContract, ReportsLossAndSuccessOfTheReturnedPoints) {
  for (const bool targeted : {false, true}) {
    auto with = options();
    with.restarts = 2;
    with.targeted = targeted;
    const auto result = attack(with);
    const auto logits = model(result.x_adv);
    const auto right = logits.argmax(1) == y;
    const auto loss = attack_loss(with.loss, logits, y);
    EXPECT_TRUE(at::equal(result.success, targeted ? right : right.logical_not()));
    EXPECT_TRUE(at::allclose(result.loss, targeted ? -loss : loss, 1e-5, 1e-5));
    EXPECT_LT(result.step.max().item<std::int64_t>(), with.queries);
  }
}

TEST_P(SquareContract, SameSeedSameResultOtherSeedOtherResult) {
  auto with = options();
  with.budget.epsilon /= 100;  // no sample is fooled before the first draw
  with.queries = 6;            // nor at the optimum
  const auto run = [&](std::uint64_t seed) {
    return square(model, x, model(x).argmax(1), with, {.random = Random(seed, "square")}).x_adv;
  };
  EXPECT_TRUE(same_bits(run(3), run(3)));
  EXPECT_FALSE(same_bits(run(3), run(4)) && same_bits(run(3), run(5)));
}

TEST_P(SquareContract, EpsilonZeroReturnsTheInputBitForBitInOneQuery) {
  auto with = options();
  with.budget.epsilon = 0;
  const auto result = attack(with);
  EXPECT_TRUE(same_bits(result.x_adv, x));
  EXPECT_TRUE(at::equal(result.success, model(x).argmax(1) != y)) << "clean accuracy";
  EXPECT_EQ(result.passes.forwards, count);
}

TEST_P(SquareContract, ASampleAloneIsAttackedAsInItsBatch) {
  for (const auto windows : {Windows::per_sample, Windows::shared}) {
    auto with = options();
    with.windows = windows;
    const auto together = attack(with);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto alone = square(model, x.slice(0, i, i + 1), y.slice(0, i, i + 1), with,
                                {.random = Random(0, "square")});
      EXPECT_TRUE(at::allclose(alone.x_adv[0], together.x_adv[i], 0, 1e-6)) << "sample " << i;
      EXPECT_TRUE(at::equal(alone.forwards[0], together.forwards[i]));
      EXPECT_EQ(alone.success[0].item<bool>(), together.success[i].item<bool>());
    }
  }
}

TEST_P(SquareContract, RowsThatStayInTheBatchChangeNothing) {
  for (const auto windows : {Windows::per_sample, Windows::shared}) {
    auto with = options();
    with.restarts = 2;
    with.windows = windows;
    const auto compact = attack(with);
    Passes passes;
    const auto fixed =
        square(model, x, y, with,
               {.random = Random(0, "square"), .passes = &passes, .round = {}, .compact = false});
    EXPECT_TRUE(at::allclose(fixed.x_adv, compact.x_adv, 0, 1e-6));
    EXPECT_TRUE(at::equal(fixed.step.index({fixed.success}), compact.step.index({fixed.success})));
    EXPECT_TRUE(at::equal(fixed.forwards, compact.forwards));
    EXPECT_TRUE(at::equal(fixed.success, compact.success));
    EXPECT_EQ(compact.passes.forwards, compact.forwards.sum().item<std::int64_t>());
    EXPECT_GE(fixed.passes.forwards, compact.passes.forwards);
    EXPECT_EQ(fixed.passes.forwards, passes.forwards);
  }
}

TEST_P(SquareContract, ARoundAloneDrawsAsAmongTheOthers) {
  auto with = options();
  with.budget.epsilon /= 4;
  with.restarts = 2;
  const auto alone = square(model, x, y, with, {.random = Random(0, "square"), .round = 1});
  const auto both = attack(with);
  const auto late = both.round == 1;
  EXPECT_TRUE((alone.round == 1).all().item<bool>());
  EXPECT_TRUE(at::allclose(alone.x_adv.index({late}), both.x_adv.index({late}), 0, 1e-6));
}

TEST_P(SquareContract, TargetedMovesTowardsTheTarget) {
  auto with = options();
  with.targeted = true;
  const auto target = (model(x).argmax(1) + 1) % 4;
  const auto before = attack_loss(with.loss, model(x), target);
  const auto result = square(model, x, target, with, {.random = Random(0, "square")});
  const auto after = attack_loss(with.loss, model(result.x_adv), target);
  EXPECT_TRUE((after <= before + 1e-5).all().item<bool>());
  EXPECT_LT(after.sum().item<float>(), before.sum().item<float>());
}

INSTANTIATE_TEST_SUITE_P(
    All, SquareContract,
    ::testing::Combine(::testing::Values(Norm::linf, Norm::l2, Norm::l1), ::testing::Values(1, 8),
                       ::testing::Values(Shape{12}, Shape{2, 3, 2}, Shape{2, 2, 9, 4})),
    shaped_name);

NAMID_ATTACK_CONTRACT(Square, {.attack = "square", .options = {{"queries", "60"}}, .reach = 0});

}  // namespace
}  // namespace namid::attacks
