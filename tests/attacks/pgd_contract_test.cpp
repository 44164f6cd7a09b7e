// SPDX-License-Identifier: Apache-2.0
#include "attacks/contract.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/pgd.h"

namespace namid::attacks {
namespace {

class PgdContract : public ShapedBatch {
 protected:
  PgdOptions options() const { return {.budget = budget(), .steps = 5}; }
  AttackResult attack(const PgdOptions& with, std::uint64_t seed = 0) const {
    return pgd(model, x, y, with, {.random = Random(seed, "pgd")});
  }
};

TEST_P(PgdContract, StaysInsideBallAndBoxForEveryStartAndJudge) {
  for (const auto start : {Start::uniform, Start::gauss, Start::none}) {
    for (const auto judge : {Judge::best, Judge::last}) {
      for (const double epsilon : {1e-7, 1e-3, 0.05, 0.9}) {
        auto with = options();
        with.budget.epsilon = epsilon;
        with.start = start;
        with.judge = judge;
        expect_inside(attack(with), x, with.budget);
      }
    }
  }
}

TEST_P(PgdContract, IsNotWeakerThanTheCleanPoint) {
  auto with = options();
  with.start = Start::none;
  const auto clean = attack_loss(with.loss, model(x), y);
  const auto result = attack(with);
  EXPECT_TRUE(((result.loss >= clean) | result.success).all().item<bool>());
  EXPECT_GT((result.loss - clean).sum().item<float>(), 0);
}

TEST_P(PgdContract, ReportsLossAndSuccessOfTheReturnedPoints) {
  for (const auto judge : {Judge::best, Judge::last}) {
    auto with = options();
    with.judge = judge;
    with.restarts = 2;
    const auto result = attack(with);
    const auto logits = model(result.x_adv);
    EXPECT_TRUE(at::equal(result.success, logits.argmax(1) != y));
    EXPECT_TRUE(at::allclose(result.loss, attack_loss(with.loss, logits, y), 1e-5, 1e-6));
    EXPECT_EQ(result.step.scalar_type(), at::kLong);
    EXPECT_LE(result.step.max().item<std::int64_t>(), with.steps);
  }
}

TEST_P(PgdContract, SameSeedSameResultOtherSeedOtherResult) {
  EXPECT_TRUE(same_bits(attack(options(), 3).x_adv, attack(options(), 3).x_adv));
  EXPECT_FALSE(same_bits(attack(options(), 3).x_adv, attack(options(), 4).x_adv));
}

TEST_P(PgdContract, EpsilonZeroReturnsTheInputBitForBit) {
  for (const auto start : {Start::uniform, Start::gauss, Start::none}) {
    auto with = options();
    with.budget.epsilon = 0;
    with.start = start;
    const auto result = attack(with);
    EXPECT_TRUE(same_bits(result.x_adv, x));
    EXPECT_TRUE(at::equal(result.success, model(x).argmax(1) != y)) << "clean accuracy";
  }
}

TEST_P(PgdContract, TargetedMovesTowardsTheTarget) {
  auto with = options();
  with.start = Start::none;
  with.targeted = true;
  const auto target = (model(x).argmax(1) + 1) % 4;
  const auto result = pgd(model, x, target, with);
  const auto before = attack_loss(with.loss, model(x), target);
  const auto logits = model(result.x_adv);
  EXPECT_TRUE((attack_loss(with.loss, logits, target) <= before).all().item<bool>());
  EXPECT_TRUE(at::allclose(result.loss, -attack_loss(with.loss, logits, target), 1e-5, 1e-6));
  EXPECT_TRUE(at::equal(result.success, logits.argmax(1) == target));
}

TEST_P(PgdContract, CountsPassesExactly) {
  Passes passes{.forwards = 1000, .backwards = 2000};
  const auto result = pgd(model, x, y, options(), {.passes = &passes});
  EXPECT_EQ(result.passes.forwards, (5 + 1) * count);
  EXPECT_EQ(result.passes.backwards, 5 * count);
  EXPECT_EQ(passes.forwards, 1000 + (5 + 1) * count) << "the caller's counter is added to";
  EXPECT_EQ(passes.backwards, 2000 + 5 * count);
}

TEST_P(PgdContract, ARestartAttacksWhatIsNotFooledYet) {
  auto with = options();
  with.restarts = 3;
  const auto result = attack(with);
  const auto left_after_one = attack(options()).success.logical_not();
  const auto one = at::full_like(y, 5 + 1);
  EXPECT_TRUE(at::equal(result.forwards.masked_select(left_after_one.logical_not()),
                        one.masked_select(left_after_one.logical_not())));
  EXPECT_TRUE((result.forwards.masked_select(left_after_one) > 6).all().item<bool>());
  EXPECT_EQ(result.passes.forwards, result.forwards.sum().item<std::int64_t>());
}

TEST_P(PgdContract, ARoundAloneDrawsAsAmongTheOthers) {
  auto with = options();
  with.restarts = 2;
  auto context = Context{.random = Random(0, "pgd"), .round = 1};
  const auto alone = pgd(model, x, y, with, context);
  const auto both = attack(with);
  const auto late = both.round == 1;
  EXPECT_TRUE((alone.round == 1).all().item<bool>());
  EXPECT_TRUE(at::allclose(alone.x_adv.index({late}), both.x_adv.index({late}), 0, 1e-6));
}

INSTANTIATE_TEST_SUITE_P(All, PgdContract,
                         ::testing::Combine(::testing::Values(Norm::linf, Norm::l2, Norm::l1),
                                            ::testing::Values(1, 3, 8),
                                            ::testing::Values(Shape{12}, Shape{1, 8, 8},
                                                              Shape{3, 5, 7})),
                         shaped_name);

}  // namespace
}  // namespace namid::attacks
