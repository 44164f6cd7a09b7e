// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/pgd.h"

#include "attacks/toy.h"
#include "namid/attacks/norms.h"

namespace namid::attacks {
namespace {

PgdOptions golden_options(Norm norm, double epsilon, double step_size) {
  return {.budget = {.norm = norm, .epsilon = epsilon},
          .steps = 10,
          .step_size = step_size,
          .start = Start::none,
          .judge = Judge::last};
}

TEST(Pgd, ReachesTheGoldenValuesOfTheLinearModelInLinf) {
  const auto x = images(2, {3, 8, 8});
  const auto y = at::zeros({2}, at::kLong);
  const auto model = golden_linear();
  expect_values(attack_loss(AttackLoss::cross_entropy, model(x), y), {1.94591, 1.99873}, 5e-6);
  const auto result = pgd(model, x, y, golden_options(Norm::linf, 8.0 / 255, 0.007));
  expect_values(result.loss, {2.64211, 2.69017}, 2e-4);
  expect_values((result.x_adv - x).abs().mean({1, 2, 3}), {0.02934, 0.02859}, 4e-4);
}

TEST(Pgd, ReachesTheGoldenValuesOfTheLinearModelInL2ByMeetingTheBoxFirst) {
  const auto x = images(2, {3, 8, 8});
  auto options = golden_options(Norm::l2, 0.5, 0.1);
  options.l2_order = L2Order::box_first;
  const auto result = pgd(golden_linear(), x, at::zeros({2}, at::kLong), options);
  expect_values(result.loss, {2.9154, 2.97619}, 2e-4);
  expect_values(perturbation_norms(result.x_adv, x, Norm::l2), {0.5, 0.5}, 1e-5);
}

TEST(Pgd, LosesLessThanAThousandthToTheGoldenL2RunByMeetingTheBoxLast) {
  const auto x = images(2, {3, 8, 8});
  const auto result =
      pgd(golden_linear(), x, at::zeros({2}, at::kLong), golden_options(Norm::l2, 0.5, 0.1));
  const auto golden = at::tensor({2.9154f, 2.97619f});
  EXPECT_TRUE((result.loss <= golden * 1.0001).all().item<bool>());
  EXPECT_TRUE((result.loss >= golden * 0.999).all().item<bool>());
}

struct TwoClasses {
  Shape shape{1, 6, 6};
  at::Tensor w = wave({36}, 1, 0.7, 0.3);
  Classifier model = linear(at::stack({at::zeros({36}), w}), at::tensor({0.0f, -2.0f}), shape);
  at::Tensor y = at::zeros({3}, at::kLong);
  at::Tensor margin(const at::Tensor& x) const {
    return attack_loss(AttackLoss::margin, model(x), y).to(at::kDouble);
  }
};

TEST(Pgd, ReachesTheOptimumOfATwoClassLinearModel) {
  const TwoClasses toy;
  const auto x = images(3, toy.shape, 0.2);
  const auto w = toy.w.to(at::kDouble);
  for (const auto loss : {AttackLoss::cross_entropy, AttackLoss::margin}) {
    const auto linf =
        pgd(toy.model, x, toy.y, {.budget = {Norm::linf, 0.05}, .steps = 12, .loss = loss});
    const auto l2 =
        pgd(toy.model, x, toy.y, {.budget = {Norm::l2, 0.4}, .steps = 40, .loss = loss});
    const auto clean = toy.margin(x);
    EXPECT_TRUE(at::allclose(toy.margin(linf.x_adv), clean + 0.05 * w.abs().sum(), 1e-5, 1e-5));
    EXPECT_TRUE(at::allclose(toy.margin(l2.x_adv), clean + 0.4 * w.norm(), 1e-4, 1e-4));
  }
}

TEST(Pgd, ReachesTheOptimumAlsoWhereTheBoxBinds) {
  const TwoClasses toy;
  const auto x = images(3, toy.shape, 0.5);
  const auto optimum = (x + 0.3 * toy.w.sign().view({1, 6, 6})).clamp(0, 1);
  const auto result = pgd(toy.model, x, toy.y, {.budget = {Norm::linf, 0.3}, .steps = 12});
  EXPECT_TRUE(at::allclose(toy.margin(result.x_adv), toy.margin(optimum), 1e-5, 1e-5));
}

TEST(Pgd, AutomaticStepSizeIsAQuarterOfEpsilon) {
  const TwoClasses toy;
  const auto x = images(3, toy.shape, 0.2);
  for (const auto norm : {Norm::linf, Norm::l2}) {
    const auto result =
        pgd(toy.model, x, toy.y, {.budget = {norm, 0.08}, .steps = 1, .start = Start::none});
    EXPECT_TRUE(at::allclose(perturbation_norms(result.x_adv, x, norm),
                             at::full({3}, 0.02, at::kDouble), 1e-4, 0));
  }
}

TEST(Pgd, JudgeBestKeepsAMisclassifiedPointThatLaterStepsLose) {
  // Class 1 wins only on the narrow band |x - 0.5| < 0.01, which the third step leaves.
  const Classifier band(
      [](const at::Tensor& x) {
        return at::cat({x * 0, at::where((x - 0.5).abs() < 0.01, 1 + x, x - 2)}, 1);
      },
      {.name = "band", .num_classes = 2, .input_shape = {1}});
  const auto x = at::full({1, 1}, 0.4f);
  const auto y = at::zeros({1}, at::kLong);
  PgdOptions options{
      .budget = {Norm::linf, 0.2}, .steps = 4, .step_size = 0.05, .start = Start::none};
  const auto best = pgd(band, x, y, options);
  EXPECT_TRUE(best.success.item<bool>());
  EXPECT_EQ(best.step.item<std::int64_t>(), 2);
  EXPECT_NEAR(best.x_adv.item<float>(), 0.5, 1e-6);
  options.judge = Judge::last;
  const auto last = pgd(band, x, y, options);
  EXPECT_FALSE(last.success.item<bool>());
  EXPECT_NEAR(last.x_adv.item<float>(), 0.6, 1e-6);
}

TEST(Pgd, ACleanErrorCountsAtTheStartPoint) {
  const TwoClasses toy;
  const auto x = images(3, toy.shape, 0.2);
  const auto wrong = 1 - toy.model(x).argmax(1);
  const auto result =
      pgd(toy.model, x, wrong, {.budget = {Norm::linf, 0.01}, .start = Start::none});
  EXPECT_TRUE(result.success.all().item<bool>());
}

TEST(Pgd, RestartsDrawFreshStartsAndKeepTheBest) {
  const auto model = curved({12});
  const auto x = images(8, {12}), y = labels(8, 4);
  PgdOptions options{.budget = {Norm::linf, 0.2}, .steps = 2};
  const auto at_epoch = [&](std::uint32_t epoch) {
    return pgd(model, x, y, options, {.random = Random(1, "pgd"), .epoch = epoch});
  };
  const auto first = at_epoch(10), second = at_epoch(11);
  options.restarts = 2;
  const auto both = at_epoch(5);
  EXPECT_TRUE(at::equal(both.success, first.success | second.success));
  EXPECT_TRUE(at::equal(
      both.round,
      (first.success.logical_not() & (second.success | (second.loss > first.loss))).to(at::kLong)));
  const auto tie = (first.success | second.success).logical_not();
  const auto higher = at::maximum(first.loss, second.loss);
  EXPECT_TRUE(at::allclose(both.loss.masked_select(tie), higher.masked_select(tie), 1e-5));
}

TEST(Pgd, WithoutVerdictTheLastPointIsTheSameAndOneForwardIsSaved) {
  const auto model = curved({1, 8, 8});
  const auto x = images(3, {1, 8, 8}), y = labels(3, 4);
  const PgdOptions options{.steps = 4, .judge = Judge::last};
  const auto told = pgd(model, x, y, options),
             untold = pgd(model, x, y, options, {.verdict = false});
  EXPECT_TRUE(same_bits(told.x_adv, untold.x_adv));
  EXPECT_FALSE(untold.success.defined());
  EXPECT_FALSE(untold.loss.defined());
  EXPECT_EQ(told.passes.forwards, 15);
  EXPECT_EQ(untold.passes.forwards, 12);
  auto best = options;
  best.judge = Judge::best;
  EXPECT_TRUE(pgd(model, x, y, best, {.verdict = false}).success.defined());
}

TEST(Pgd, ObserverSeesEachStepOfEachRestart) {
  std::vector<int> steps;
  std::vector<double> losses;
  const Context context{.observe = [&](int step, double loss) {
    steps.push_back(step);
    losses.push_back(loss);
  }};
  const auto x = images(2, {3, 8, 8});
  const auto model = golden_linear();
  const auto y = model(x).argmax(1);
  pgd(model, x, y, {.budget = {Norm::linf, 1e-4}, .steps = 3, .start = Start::none, .restarts = 2},
      context);
  EXPECT_EQ(steps, (std::vector<int>{0, 1, 2, 3, 4, 5}));
  EXPECT_NEAR(losses[0], at::cross_entropy_loss(model(x), y).item<double>(), 1e-6)
      << "the loss before the first step";
  EXPECT_GT(losses[1], losses[0]);
}

TEST(Pgd, StopTokenInterruptsAtTheNextStep) {
  run::StopToken stop;
  Passes passes;
  const Context context{.passes = &passes,
                        .observe =
                            [&](int step, double) {
                              if (step == 1) stop.request(15);
                            },
                        .stop = &stop};
  const auto model = curved({12});
  model.train();
  EXPECT_THROW(pgd(model, images(2, {12}), labels(2, 4), {.steps = 9}, context), run::Interrupted);
  EXPECT_EQ(passes.backwards, 2 * 2) << "two steps of two samples";
  EXPECT_TRUE(model.is_training());
}

TEST(Pgd, ASparseL1StepIsNotSpentOnPixelsThatStandAtTheBox) {
  // 200 black pixels that the gradient pulls down, one grey one that it pulls up, less strongly.
  auto weight = at::zeros({2, 201});
  weight[1].slice(0, 0, 200).fill_(-3);
  weight[1][200] = 1;
  auto x = at::zeros({1, 201});
  x[0][200] = 0.5f;
  const auto model = linear(weight, at::zeros({2}), {201});
  const auto result = pgd(model, x, at::zeros({1}, at::kLong),
                          {.budget = {Norm::l1, 0.4}, .steps = 4, .start = Start::none});
  EXPECT_NEAR(result.x_adv[0][200].item<float>(), 0.9, 1e-5);
  EXPECT_NEAR(perturbation_norms(result.x_adv, x, Norm::l1)[0].item<double>(), 0.4, 1e-5);
}

TEST(Pgd, ClimbsEveryLossAndSaysWhichCannotBeClimbed) {
  const auto model = curved({12});
  const auto x = images(4, {12}), y = model(x).argmax(1);
  const auto clean = model(x);
  for (const auto loss : {AttackLoss::dlr, AttackLoss::margin, AttackLoss::kl}) {
    const auto measure = climbed_loss(loss, false, clean);
    const auto result = pgd(model, x, y, {.budget = {Norm::linf, 0.1}, .steps = 5, .loss = loss});
    EXPECT_TRUE((result.loss > measure(x, clean, y)).all().item<bool>()) << to_string(loss);
    EXPECT_TRUE(at::allclose(result.loss, measure(x, model(result.x_adv), y), 1e-4, 1e-6));
    EXPECT_EQ(result.passes.forwards, 4 * (5 + 1 + (loss == AttackLoss::kl)));
  }
  const TwoClasses toy;
  const auto two = images(3, toy.shape);
  Passes passes;
  const auto refusal = [&](const PgdOptions& options) {
    return message_of([&] { pgd(toy.model, two, toy.y, options, {.passes = &passes}); });
  };
  EXPECT_EQ(refusal({.loss = AttackLoss::dlr}),
            "[pgd] loss: dlr needs at least 3 classes, the model has 2; use margin or "
            "cross_entropy");
  EXPECT_NE(refusal({.loss = AttackLoss::kl, .targeted = true}).find("no target"),
            std::string::npos);
  EXPECT_NE(refusal({.start = Start::none, .loss = AttackLoss::kl}).find("no gradient at x"),
            std::string::npos);
  EXPECT_EQ(passes.forwards, 0);
}

TEST(Pgd, AveragesOverDrawsWithKTimesThePasses) {
  const auto model = curved({12});
  const auto x = images(3, {12}), y = labels(3, 4);
  const auto once = pgd(model, x, y, {.steps = 4}),
             thrice = pgd(model, x, y, {.steps = 4, .eot = 3});
  EXPECT_TRUE(at::allclose(once.x_adv, thrice.x_adv, 0, 1e-6)) << "nothing is drawn";
  EXPECT_EQ(thrice.passes.forwards, 3 * once.passes.forwards);
  EXPECT_EQ(thrice.passes.backwards, 3 * once.passes.backwards);
}

}  // namespace
}  // namespace namid::attacks
