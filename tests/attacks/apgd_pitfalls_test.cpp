// SPDX-License-Identifier: Apache-2.0
// Defects of published Auto-PGD code, each with a test that namid does not have it, and that
// compat = autoattack repeats those it promises to repeat.
#include "attacks/recorder.h"
#include "attacks/toy.h"
#include "namid/attacks/apgd.h"
#include "namid/attacks/apgd_run.h"
#include "namid/attacks/apgd_t.h"

namespace namid::attacks {
namespace {

/// Whether the step size is halved at the first of two checkpoints when the loss falls from 1 to
/// 0.5 at the only step before it.
bool halves_after_a_fall(Compat compat) {
  const auto x = at::full({1, 4}, 0.5f);
  const LossAndGradient start{.loss = at::ones({1}), .gradient = x, .logits = {}};
  const Highest highest(x, start);
  MomentumSteps steps(x, {.budget = {}, .steps = 4, .compat = compat}, highest);
  return steps.shrink(at::full({1}, 0.5f), highest).item<bool>();
}

TEST(ApgdPitfalls, TheFirstCheckpointComparesWithTheStartNotWithAStepNotYetMade) {
  EXPECT_TRUE(halves_after_a_fall(Compat::none));
  EXPECT_FALSE(halves_after_a_fall(Compat::autoattack)) << "0.5 counts as a rise from 0";
}

/// One pixel; class 1 wins by z = 2 (x − 0.5) + noise. Draw k of each point adds noise[k].
Classifier noisy(std::vector<float> noise, std::size_t* calls) {
  return Classifier(
      [=](const at::Tensor& x) {
        const float draw = noise.at((*calls)++ % noise.size());
        return at::cat({x * 0, (x - 0.5) * 2 + draw}, 1);
      },
      {.name = "noisy", .num_classes = 2, .input_shape = {1}});
}

TEST(ApgdPitfalls, OneUnluckyDrawDoesNotMakeASuccess) {
  // The last of three draws fools everywhere in reach, the mean prediction nowhere.
  const auto x = at::full({1, 1}, 0.2f), y = at::zeros({1}, at::kLong);
  const auto attack = [&](Compat compat) {
    std::size_t calls = 0;
    return apgd(noisy({-2, -2, 1.5}, &calls), x, y,
                {.budget = {Norm::linf, 0.05}, .steps = 6, .eot = 3, .compat = compat});
  };
  EXPECT_FALSE(attack(Compat::none).success.item<bool>());
  EXPECT_TRUE(attack(Compat::autoattack).success.item<bool>());
}

TEST(ApgdPitfalls, TheBestPointFollowsTheMeanOverTheDraws) {
  // Draws of opposite slope: the mean loss rises with x, that of the last draw falls.
  auto calls = std::make_shared<int>(0);
  const Classifier opposed(
      [calls](const at::Tensor& x) {
        const bool last = (*calls)++ % 2 == 1;
        return at::cat({x * 0 + 9, last ? -x : 3 * x}, 1);
      },
      {.name = "opposed", .num_classes = 2, .input_shape = {1}});
  const auto x = at::full({1, 1}, 0.5f), y = at::zeros({1}, at::kLong);
  const ApgdOptions options{
      .budget = {Norm::linf, 0.1}, .steps = 10, .loss = AttackLoss::margin, .eot = 2};
  EXPECT_NEAR(apgd(opposed, x, y, options).x_adv.item<float>(), 0.6, 1e-6);
}

TEST(ApgdPitfalls, TwoAndThreeClassesAreAttackedOrRefusedNeverIndexedOutOfRange) {
  for (const std::int64_t classes : {2, 3}) {
    const auto model = curved({12}, classes);
    const auto x = images(3, {12}), y = labels(3, classes);
    EXPECT_NO_THROW(apgd(model, x, y, {.steps = 3}));
    EXPECT_NO_THROW(apgd(model, x, y, {.steps = 3, .loss = AttackLoss::margin}));
    EXPECT_THROW(apgd_t(model, x, y, {.steps = 3}), OptionError);
  }
  const auto x = images(3, {12});
  EXPECT_NO_THROW(apgd(curved({12}, 3), x, labels(3, 3), {.steps = 3, .loss = AttackLoss::dlr}));
  EXPECT_THROW(apgd(curved({12}, 2), x, labels(3, 2), {.steps = 3, .loss = AttackLoss::dlr}),
               OptionError);
  EXPECT_EQ(rounds(ApgdTOptions{}, 4), 3) << "nine targets of four classes are three";
}

TEST(ApgdPitfalls, TheBestIterateIsKeptNotTheLast) {
  const auto model = curved({1, 8, 8});
  const auto x = images(6, {1, 8, 8}), y = model(x).argmax(1);
  for (const auto norm : {Norm::linf, Norm::l2, Norm::l1}) {
    Recorder recorder(climbed_loss(AttackLoss::cross_entropy, false));
    Context context;
    context.loss = recorder.hook();
    const auto result = apgd(model, x, y,
                             {.budget = {norm, norm == Norm::linf ? 0.01 : 0.1},
                              .steps = 9,
                              .larger_epsilon = Automatic<bool>(false)},
                             context);
    const auto failed = result.success.logical_not();
    EXPECT_TRUE(
        at::equal(result.loss.masked_select(failed), recorder.highest().masked_select(failed)));
  }
}

TEST(ApgdPitfalls, TheLastMisclassifiedIterateIsReturnedForParityOnly) {
  // Class 1 wins between 0.58 and 0.62; the climb goes on to 0.7.
  const Classifier band(
      [](const at::Tensor& x) {
        return at::cat({x * 0, at::where((x - 0.6).abs() < 0.02, 1 + x, x - 2)}, 1);
      },
      {.name = "band", .num_classes = 2, .input_shape = {1}});
  const auto x = at::full({1, 1}, 0.5f), y = at::zeros({1}, at::kLong);
  const ApgdOptions published{.budget = {Norm::linf, 0.1},
                              .steps = 10,
                              .loss = AttackLoss::margin,
                              .compat = Compat::autoattack};
  auto safe = published;
  safe.budget.epsilon = 0.05;
  const auto failure = apgd(band, x, y, safe);
  EXPECT_FALSE(failure.success.item<bool>());
  EXPECT_TRUE(same_bits(failure.x_adv, x)) << "a failure is the clean image";
  EXPECT_EQ(failure.step.item<std::int64_t>(), 0);
  EXPECT_NEAR(failure.loss.item<float>(), -1.5, 1e-6) << "and its loss that of the clean image";
  safe.compat = Compat::none;
  EXPECT_NEAR(apgd(band, x, y, safe).x_adv.item<float>(), 0.55, 1e-6);
}

TEST(ApgdPitfalls, TheStartPointIsJudged) {
  const auto x = at::full({1, 1}, 0.5f), y = at::zeros({1}, at::kLong);
  const Budget budget{Norm::linf, 0.1};
  const ApgdPlan plan{.last = {.budget = budget}};
  const Context context;
  const auto start =
      apgd_start(x, apgd_noise(x, plan, {context, hash_sample_ids(x, y), 0}), plan.last);
  ASSERT_NE(start.item<float>(), x.item<float>());
  const Classifier trap(  // class 1 wins at the start point alone
      [start](const at::Tensor& at) {
        return at::cat({at * 0, at::where(at == start, at + 1, at - 1)}, 1);
      },
      {.name = "trap", .num_classes = 2, .input_shape = {1}});
  for (const auto compat : {Compat::none, Compat::autoattack}) {
    const auto result = apgd(trap, x, y, {.budget = budget, .steps = 1, .compat = compat});
    EXPECT_TRUE(result.success.item<bool>());
    EXPECT_EQ(result.step.item<std::int64_t>(), 0);
  }
}

TEST(ApgdPitfalls, TheL2StepIsEachSamplesOwn) {
  // One sample halves its step, the other does not; alone each does as in the batch.
  const auto model = curved({12});
  const auto x = images(2, {12}), y = labels(2, 4);
  const ApgdTOptions options{.budget = {Norm::l2, 0.7}, .steps = 20, .targets = 1};
  const auto both = apgd_t(model, x, y, options);
  for (const std::int64_t i : {0, 1}) {
    const auto alone = apgd_t(model, x.slice(0, i, i + 1), y.slice(0, i, i + 1), options);
    EXPECT_TRUE(at::allclose(alone.x_adv[0], both.x_adv[i], 0, 1e-5)) << i;
  }
}

TEST(ApgdPitfalls, NoWeightGradientIsAskedForInAnyPass) {
  auto weight = wave({4, 12}, 1, 0.7, 0.3).requires_grad_(true);
  int passes = 0, with_weight = 0;
  const Classifier model(
      [&, weight](const at::Tensor& x) {
        ++passes;
        with_weight += weight.requires_grad();
        return at::linear(x, weight);
      },
      {.name = "watched", .num_classes = 4, .input_shape = {12}}, {weight});
  const auto x = images(2, {12}), y = labels(2, 4);
  for (const auto loss : {AttackLoss::cross_entropy, AttackLoss::dlr, AttackLoss::kl})
    apgd(model, x, y, {.steps = 3, .loss = loss});
  apgd_t(model, x, y, {.steps = 3});
  EXPECT_GT(passes, 16);
  EXPECT_EQ(with_weight, 0);
  EXPECT_TRUE(weight.requires_grad());
  EXPECT_FALSE(weight.grad().defined());
}

TEST(ApgdPitfalls, HalfPrecisionLogitsDoNotOverflow) {
  const auto inner = curved({12});
  const Classifier model([=](const at::Tensor& x) { return inner(x * 1).to(at::kHalf); },
                         {.name = "half", .num_classes = 4, .input_shape = {12}});
  const auto x = images(3, {12}), y = labels(3, 4);
  for (const auto norm : {Norm::linf, Norm::l2, Norm::l1}) {
    const Budget budget{norm, norm == Norm::linf ? 0.1 : 0.5};
    const auto untargeted =
        apgd(model, x, y, {.budget = budget, .steps = 9, .loss = AttackLoss::dlr});
    const auto targeted = apgd_t(model, x, y, {.budget = budget, .steps = 9, .targets = 1});
    for (const auto& result : {untargeted, targeted}) {
      EXPECT_TRUE(at::isfinite(result.x_adv).all().item<bool>());
      EXPECT_TRUE(at::isfinite(result.loss).all().item<bool>());
    }
  }
}

TEST(ApgdPitfalls, RestartsDoNotStopAtTheFirstTargetsCondition) {
  // Targets are run until the sample is fooled, whatever the first ones gave.
  const auto model = golden_linear();
  const auto x = images(2, {3, 8, 8}), y = model(x).argmax(1);
  const auto result = apgd_t(model, x, y, {.budget = {Norm::linf, 1e-5}, .steps = 2});
  EXPECT_FALSE(result.success.any().item<bool>());
  EXPECT_EQ(result.passes.backwards, 2 * 9 * 2) << "all nine targets";
}

TEST(ApgdPitfalls, SparseStepsOfAZeroGradientStandStill) {
  const auto x = images(2, {12});
  const LossAndGradient flat{.loss = at::zeros({2}), .gradient = at::zeros_like(x), .logits = {}};
  const Highest highest(x, flat);
  SparseSteps steps(x, {.budget = {Norm::l1, 1}, .steps = 50}, highest);
  EXPECT_TRUE(at::allclose(steps.next(x, flat.gradient), x, 0, 1e-7));
  for (int i = 0; i < 2; ++i) steps.shrink(flat.loss, highest);
  EXPECT_TRUE(at::allclose(steps.next(x, flat.gradient), x, 0, 1e-7)) << "after 0 / 0 entries";
}

}  // namespace
}  // namespace namid::attacks
