// SPDX-License-Identifier: Apache-2.0
// What fab and fab-t promise for every norm, batch and shape, beyond the contract of all attacks.
#include <tuple>

#include "attacks/contract.h"
#include "namid/attacks/fab_t.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/norms.h"

namespace namid::attacks {
namespace {

enum class Form { untargeted, targeted };

struct Settings {
  double epsilon = 0.2;
  int restarts = 2;
  bool smallest = false;
  Compat compat = Compat::none;
};

/// `curved`, with rows that round the same in a batch of any size: close to a boundary FAB lives on
/// the last bits.
Classifier curved_by_rows(const Shape& shape) {
  const auto first = wave({6, entries(shape)}, 1.5, 0.41, 0.2), second = wave({4, 6}, 2, 0.9, 1);
  const auto times = [](const at::Tensor& x, const at::Tensor& weight) {
    return (x.unsqueeze(1) * weight).sum(2);
  };
  return Classifier(
      [=](const at::Tensor& x) {
        return times(at::tanh(times(x.flatten(1) - 0.5, first)), second);
      },
      {.name = "curved", .num_classes = 4, .input_shape = shape}, {first, second});
}

using Case = std::tuple<Form, Norm, std::int64_t, Shape>;

class FabContract : public ::testing::TestWithParam<Case> {
 protected:
  static constexpr int kSteps = 4;

  AttackResult on(const at::Tensor& images, const at::Tensor& classes, const Settings& with,
                  const Context& context, bool minimum = false) const {
    const Budget budget{norm, with.epsilon};
    if (form == Form::untargeted)
      return (minimum ? fab_minimum : fab)(model, images, classes,
                                           {.budget = budget,
                                            .steps = kSteps,
                                            .restarts = with.restarts,
                                            .smallest = with.smallest,
                                            .compat = with.compat},
                                           context);
    return (minimum ? fab_t_minimum : fab_t)(model, images, classes,
                                             {.budget = budget,
                                              .targets = 2,
                                              .steps = kSteps,
                                              .restarts = with.restarts,
                                              .smallest = with.smallest,
                                              .compat = with.compat},
                                             context);
  }
  AttackResult attack(const Settings& with = {}, const Context& context = {}) const {
    return on(x, y, with, context);
  }
  AttackResult minimum(const Settings& with = {}, const Context& context = {}) const {
    return on(x, y, with, context, true);
  }
  static Context seeded(std::uint64_t seed) { return {.random = Random(seed, "fab")}; }

  Form form = std::get<0>(GetParam());
  Norm norm = std::get<1>(GetParam());
  std::int64_t count = std::get<2>(GetParam());
  Shape shape = std::get<3>(GetParam());
  int rounds = form == Form::targeted ? 4 : 2;
  Classifier model = curved_by_rows(shape);
  at::Tensor x = images(count, shape);
  at::Tensor clean = model(x).argmax(1);
  at::Tensor y = at::where(at::arange(count) % 4 == 1, (clean + 1) % 4, clean);  // some are wrong
};

TEST_P(FabContract, ReportsLossAndSuccessOfTheReturnedPoints) {
  for (const auto compat : {Compat::none, Compat::autoattack}) {
    const auto result = attack({.compat = compat});
    const auto logits = model(result.x_adv);
    EXPECT_TRUE(at::equal(result.success, logits.argmax(1) != y));
    EXPECT_TRUE(at::allclose(result.loss, attack_loss(AttackLoss::margin, logits, y), 1e-5, 1e-6));
    EXPECT_EQ(result.loss.scalar_type(), at::kFloat);
    EXPECT_EQ(result.step.scalar_type(), at::kLong);
    EXPECT_LE(result.step.max().item<std::int64_t>(), kSteps);
  }
}

TEST_P(FabContract, AMisclassifiedSampleStaysAsItIs) {
  const auto wrong = clean != y;
  for (const auto& result : {attack(), minimum()}) {
    EXPECT_TRUE(result.success.masked_select(wrong).all().item<bool>());
    EXPECT_TRUE(same_bits(result.x_adv.index({wrong}), x.index({wrong})));
    EXPECT_EQ(result.step.masked_select(wrong).sum().item<std::int64_t>(), 0);
  }
}

TEST_P(FabContract, TheMinimumIsMisclassifiedAndNoFartherThanABoundedResult) {
  const double far = norm == Norm::linf ? 1 : 1e3;
  const auto smallest = minimum({.epsilon = far}), bounded = attack({.epsilon = far});
  EXPECT_TRUE(smallest.success.all().item<bool>());
  EXPECT_TRUE((model(smallest.x_adv).argmax(1) != y).all().item<bool>());
  const auto norms = perturbation_norms(smallest.x_adv, x, norm);
  EXPECT_TRUE((norms <= perturbation_norms(bounded.x_adv, x, norm)).all().item<bool>());
  EXPECT_TRUE(at::allclose(smallest.loss.to(at::kDouble), -norms, 1e-6, 0));
}

TEST_P(FabContract, SmallestIsTheMinimumInsideTheBallAndJudgedThere) {
  for (const double epsilon : {0.02, norm == Norm::linf ? 1 : 1e3}) {
    const auto nearest = minimum({.epsilon = epsilon}, seeded(0));
    const auto result = attack({.epsilon = epsilon, .smallest = true}, seeded(0));
    const auto within = perturbation_norms(nearest.x_adv, x, norm) <= epsilon;
    EXPECT_TRUE(same_bits(result.x_adv.index({within}), nearest.x_adv.index({within})));
    EXPECT_LE(perturbation_norms(result.x_adv, x, norm).max().item<double>(), epsilon + 1e-6);
    const auto logits = model(result.x_adv);
    EXPECT_TRUE(at::equal(result.success, logits.argmax(1) != y));
    EXPECT_TRUE(at::allclose(result.loss, attack_loss(AttackLoss::margin, logits, y), 1e-5, 1e-6));
    EXPECT_EQ(result.passes.forwards, nearest.passes.forwards + count);
    EXPECT_EQ(result.passes.forwards, result.forwards.sum().item<std::int64_t>());
    EXPECT_EQ(result.passes.backwards, result.backwards.sum().item<std::int64_t>());
  }
}

TEST_P(FabContract, SameSeedSameResultOtherSeedOtherRestart) {
  Context first = seeded(3), other = seeded(4);
  first.round = other.round = 1;
  EXPECT_TRUE(same_bits(minimum({}, first).x_adv, minimum({}, first).x_adv));
  EXPECT_FALSE(same_bits(minimum({}, first).x_adv, minimum({}, other).x_adv));
}

TEST_P(FabContract, ASampleAloneIsAttackedAsInItsBatch) {
  const auto together = attack({}, seeded(0));
  for (std::int64_t i = 0; i < count; ++i) {
    const auto alone = on(x.slice(0, i, i + 1), y.slice(0, i, i + 1), {}, seeded(0));
    EXPECT_TRUE(same_bits(alone.x_adv[0], together.x_adv[i])) << "sample " << i;
    EXPECT_EQ(alone.success[0].item<bool>(), together.success[i].item<bool>());
    EXPECT_EQ(alone.forwards[0].item<std::int64_t>(), together.forwards[i].item<std::int64_t>());
  }
}

TEST_P(FabContract, AFullBatchGivesTheSameAsOneThatShrinks) {
  auto full = seeded(0);
  full.compact = false;
  for (const int round : {0, 1}) {
    auto shrinking = seeded(0);
    shrinking.round = full.round = round;
    const auto some = attack({}, shrinking), all = attack({}, full);
    EXPECT_TRUE(same_bits(some.x_adv, all.x_adv));
    EXPECT_TRUE(at::equal(some.success, all.success));
    EXPECT_TRUE(at::equal(some.forwards, all.forwards));
    EXPECT_TRUE(at::equal(some.backwards, all.backwards));
    EXPECT_EQ(some.passes.forwards, some.forwards.sum().item<std::int64_t>());
    EXPECT_EQ(all.passes.forwards, (2 * kSteps + 2) * count);
  }
}

TEST_P(FabContract, CountsPassesExactly) {
  Passes passes{.forwards = 1000, .backwards = 2000};
  const auto right = (clean == y).sum().item<std::int64_t>();
  const std::int64_t boundaries = form == Form::targeted ? 1 : 3;
  const auto result = attack({}, {.passes = &passes, .round = 0});
  EXPECT_EQ(result.passes.forwards, 2 * count + 2 * kSteps * right);
  EXPECT_EQ(result.passes.backwards, boundaries * kSteps * right);
  EXPECT_EQ(passes.forwards, 1000 + result.passes.forwards) << "the caller's counter is added to";
  EXPECT_EQ(passes.backwards, 2000 + result.passes.backwards);
  const auto smallest = minimum();
  EXPECT_EQ(smallest.passes.forwards, rounds * (count + 2 * kSteps * right));
  EXPECT_EQ(smallest.passes.forwards, smallest.forwards.sum().item<std::int64_t>());
  EXPECT_EQ(smallest.passes.backwards, smallest.backwards.sum().item<std::int64_t>());
}

TEST_P(FabContract, ARoundAloneIsAsAmongTheOthers) {
  const auto together = attack({.epsilon = 0.02}, seeded(0));
  for (int round = 0; round < rounds; ++round) {
    auto context = seeded(0);
    context.round = round;
    const auto alone = attack({.epsilon = 0.02}, context);
    EXPECT_TRUE((alone.round == round).all().item<bool>());
    const auto found = together.round == round;
    EXPECT_TRUE(same_bits(alone.x_adv.index({found}), together.x_adv.index({found})));
  }
}

TEST_P(FabContract, RepeatingTheReferenceReturnsTheSampleWhereItFails) {
  const auto result = attack({.epsilon = 0.02, .compat = Compat::autoattack});
  const auto failed = result.success.logical_not();
  EXPECT_TRUE(same_bits(result.x_adv.index({failed}), x.index({failed})));
  EXPECT_LE(perturbation_norms(result.x_adv, x, norm).max().item<double>(), 0.02);
}

std::string case_name(const ::testing::TestParamInfo<Case>& info) {
  const auto& [form, norm, count, shape] = info.param;
  std::string name = str(form == Form::targeted ? "fab_t_" : "fab_", to_string(norm), "_batch");
  name += str(count);
  for (const auto size : shape) name += str("_", size);
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, FabContract,
                         ::testing::Combine(::testing::Values(Form::untargeted, Form::targeted),
                                            ::testing::Values(Norm::linf, Norm::l2, Norm::l1),
                                            ::testing::Values(1, 8),
                                            ::testing::Values(Shape{12}, Shape{3, 5, 7})),
                         case_name);

NAMID_ATTACK_CONTRACT(Fab, {.attack = "fab", .options = {{"steps", "4"}}, .reach = 1.05},
                      {.attack = "fab-t",
                       .options = {{"steps", "4"}, {"restarts", "2"}},
                       .reach = 1.05});

}  // namespace
}  // namespace namid::attacks
