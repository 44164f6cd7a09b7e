// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/apgd.h"

#include "attacks/recorder.h"
#include "attacks/toy.h"
#include "namid/attacks/apgd_run.h"
#include "namid/attacks/apgd_t.h"
#include "namid/attacks/attack_scope.h"
#include "namid/attacks/rivals.h"

namespace namid::attacks {
namespace {

/// One run on the golden linear model (y = 0) from the noise sin(0.71 n).
struct GoldenRun {
  explicit GoldenRun(LossFunction loss) : recorder(std::move(loss)) {}
  AttackResult operator()(const ApgdPlan& plan) {
    Context context;
    context.loss = recorder.hook();
    const auto model = golden_linear();
    const Round round{.x = x, .y = y, .ids = hash_sample_ids(x, y)};
    const AttackScope scope(model);
    LossSurface surface("test", model, y, {}, context);
    return apgd_run(surface, round, plan, wave({2, 3, 8, 8}, 1, 0.71), context);
  }
  at::Tensor highest_change() const { return (recorder.highest_point() - x).abs(); }

  // Rounded once, as the golden images are: in L1 the last bit of x shows.
  at::Tensor x =
      ((at::arange(384, at::kDouble) * 0.13).sin() * 0.5 + 0.5).to(at::kFloat).view({2, 3, 8, 8});
  at::Tensor y = at::zeros({2}, at::kLong);
  Recorder recorder;
};

ApgdPlan linf_plan(Compat compat) {
  return {.last = {.budget = {Norm::linf, 8.0 / 255}, .steps = 40, .compat = compat}};
}

ApgdPlan l1_plan(bool larger, Compat compat) {
  return {.last = {.budget = {Norm::l1, 4}, .steps = 20, .compat = compat},
          .larger_epsilon = larger};
}

TEST(Apgd, ReachesTheGoldenValuesOfTheLinearModelInLinf) {
  for (const auto compat : {Compat::autoattack, Compat::none}) {
    GoldenRun ce(climbed_loss(AttackLoss::cross_entropy, false));
    ce(linf_plan(compat));
    expect_values(ce.recorder.highest(), {2.642336, 2.690295}, 2e-4);
    expect_values(ce.highest_change().mean({1, 2, 3}), {.029588, .028751}, 2e-4);
    GoldenRun dlr(climbed_loss(AttackLoss::dlr, false));
    dlr(linf_plan(compat));
    expect_values(dlr.recorder.highest(), {6.662061, 15.562603}, 2e-4);
    expect_values(dlr.highest_change().mean({1, 2, 3}), {.019653, .023998}, 2e-4);
  }
}

TEST(Apgd, ReachesTheGoldenValuesOfTheLinearModelInL1) {
  GoldenRun ce(climbed_loss(AttackLoss::cross_entropy, false));
  ce(l1_plan(false, Compat::autoattack));
  expect_values(ce.recorder.highest(), {2.73232, 2.80998}, 1e-5);
  EXPECT_TRUE(
      at::equal((ce.highest_change() > 0).flatten(1).sum(1), at::tensor({10, 9}, at::kLong)));
  expect_values(ce.highest_change().flatten(1).amax(1), {.946782, .991643}, 1e-5);
  GoldenRun dlr(climbed_loss(AttackLoss::dlr, false));
  dlr(l1_plan(false, Compat::autoattack));
  expect_values(dlr.recorder.highest(), {3.41459, 3.55843}, 1e-5);
}

/// The highest loss of the last stage of 6, 6 and 8 steps.
at::Tensor highest_of_last_stage(const GoldenRun& run) {
  return run.recorder.highest(7 + 7, 9);
}

/// Targeted DLR towards the second likeliest class of the golden images.
LossFunction golden_targeted() {
  const auto x = GoldenRun({}).x;
  const auto second = golden_linear()(x).argsort(1, true).select(1, 1);
  return [=](const at::Tensor&, const at::Tensor& logits, const at::Tensor& y) {
    return dlr_targeted(logits, y, second);
  };
}

// In L1 what rounding leaves of entries at zero decides how many entries move. CE runs stay close
// through it, DLR runs part by percents: of the golden images the first is met by the published
// arithmetic, the second (DLR) by the exact one, which climbs higher in the last case.
TEST(Apgd, ReachesTheGoldenValuesOfTheLinearModelInL1FromLargerEpsilon) {
  for (const auto compat : {Compat::autoattack, Compat::none}) {
    const bool published = compat == Compat::autoattack;
    GoldenRun ce(climbed_loss(AttackLoss::cross_entropy, false));
    ce(l1_plan(true, compat));
    expect_values(highest_of_last_stage(ce), {2.73188, 2.810004}, 2e-4);
    GoldenRun dlr(climbed_loss(AttackLoss::dlr, false));
    dlr(l1_plan(true, compat));
    const auto reached = highest_of_last_stage(dlr);
    expect_values(published ? reached.slice(0, 0, 1) : reached.slice(0, 1, 2),
                  {published ? 6.1472 : 5.9177}, 2e-4);
    GoldenRun targeted(golden_targeted());
    targeted(l1_plan(true, compat));
    const auto aimed = highest_of_last_stage(targeted);
    if (published) {
      expect_values(aimed, {2.47274}, 2e-4);
    } else {
      EXPECT_GT(aimed[1].item<double>(), 1.24488);
    }
  }
}

TEST(Apgd, ReachesTheValuesOfAnExactEvaluationInL1) {
  GoldenRun plain(climbed_loss(AttackLoss::cross_entropy, false));
  plain(l1_plan(false, Compat::none));
  expect_values(plain.recorder.highest(), {2.732558, 2.809999}, 1e-6);
  GoldenRun larger(climbed_loss(AttackLoss::cross_entropy, false));
  larger(l1_plan(true, Compat::none));
  expect_values(highest_of_last_stage(larger), {2.732030, 2.809933}, 1e-6);
}

TEST(Apgd, LargerEpsilonReachesHigherDlrThanPlainL1) {
  GoldenRun plain(climbed_loss(AttackLoss::dlr, false));
  plain(l1_plan(false, Compat::none));
  GoldenRun larger(climbed_loss(AttackLoss::dlr, false));
  larger(l1_plan(true, Compat::none));
  EXPECT_TRUE((highest_of_last_stage(larger) > 1.5 * plain.recorder.highest()).all().item<bool>());
}

/// The largest ⟨w, δ⟩ with ‖δ‖₂ ≤ epsilon and x + δ in [0,1]: δ = clip(s w), s by bisection.
at::Tensor highest_in_ball_and_box(const at::Tensor& w, const at::Tensor& x, double epsilon) {
  auto low = at::zeros({x.size(0), 1}, at::kDouble), high = at::full_like(low, 1e3);
  const auto step = [&](const at::Tensor& s) { return at::min(at::max(s * w, -x), 1 - x); };
  for (int i = 0; i < 60; ++i) {
    const auto middle = (low + high) / 2;
    const auto inside = at::linalg_vector_norm(step(middle), 2, {1}, true) <= epsilon;
    low = at::where(inside, middle, low);
    high = at::where(inside, high, middle);
  }
  return (w * step(low)).sum(1);
}

/// Images of which most pixels are 0 or 1.
at::Tensor near_the_box() {
  return (wave({4, 1, 6, 6}, 1, 0.9) + 0.1).clamp(0, 1);
}

TEST(Apgd, AStepThatMeetsTheBoxFirstKeepsTheFullRadius) {
  const auto x = near_the_box();
  const auto length_after_a_step = [&](L2Order order) {
    const LossAndGradient point{
        .loss = at::zeros({4}), .gradient = wave({4, 1, 6, 6}, 1, 0.7, 0.3), .logits = {}};
    const Highest highest(x, point);
    MomentumSteps steps(x, {.budget = {Norm::l2, 1.5}, .steps = 40, .l2_order = order}, highest);
    return perturbation_norms(steps.next(x, point.gradient), x, Norm::l2);
  };
  expect_values(length_after_a_step(L2Order::box_first), {1.5, 1.5, 1.5, 1.5}, 1e-5);
  EXPECT_TRUE((length_after_a_step(L2Order::ball_first) < 1.35).all().item<bool>());
}

TEST(Apgd, MeetsTheBoxFirstButTheBallWhereItRepeatsAutoAttack) {
  const auto x = near_the_box();
  const auto outside = x + wave({4, 1, 6, 6}, 1, 0.7, 0.3);
  const auto end = [&](Compat compat, Automatic<L2Order> order) {
    return apgd_project(outside, x,
                        {.budget = {Norm::l2, 1.5}, .compat = compat, .l2_order = order});
  };
  const auto box = end(Compat::none, L2Order::box_first),
             ball = end(Compat::none, L2Order::ball_first);
  ASSERT_FALSE(box.equal(ball));
  EXPECT_TRUE(end(Compat::none, {}).equal(box));
  EXPECT_TRUE(end(Compat::autoattack, {}).equal(ball));
  EXPECT_TRUE(end(Compat::autoattack, L2Order::box_first).equal(box));
}

TEST(Apgd, ReachesTheOptimumInBallAndBoxInEitherL2Order) {
  const auto w = wave({36}, 1, 0.7, 0.3);
  const auto model =
      linear(at::stack({at::zeros({36}), w}), at::tensor({0.0f, 0.0f}), Shape{1, 6, 6});
  const auto x = near_the_box();
  const auto most = highest_in_ball_and_box(w.to(at::kDouble), x.flatten(1).to(at::kDouble), 1.5);
  for (const auto order : {L2Order::ball_first, L2Order::box_first}) {
    const auto result = apgd(
        model, x, at::zeros({4}, at::kLong),
        {.budget = {Norm::l2, 1.5}, .steps = 40, .loss = AttackLoss::margin, .l2_order = order});
    const auto rise = ((result.x_adv - x).flatten(1).to(at::kDouble) * w).sum(1);
    EXPECT_TRUE((rise <= most * (1 + 1e-5)).all().item<bool>()) << rise << most;
    EXPECT_TRUE((rise >= 0.99 * most).all().item<bool>()) << rise << most;
  }
}

TEST(Apgd, StepSizesAreLookedAtAfterThePublishedIterations) {
  const auto checkpoints = [](int steps) {
    const auto x = images(1, {12});
    const LossAndGradient point{.loss = at::zeros({1}), .gradient = x, .logits = {}};
    const Highest highest(x, point);
    MomentumSteps momentum(x, {.budget = {}, .steps = steps}, highest);
    std::vector<int> found;
    for (int i = 0; i < steps; ++i)
      if (momentum.shrink(point.loss, highest).defined()) found.push_back(i);
    return found;
  };
  EXPECT_EQ(checkpoints(100), (std::vector<int>{21, 40, 56, 69, 79, 86, 92, 98}));
  EXPECT_EQ(checkpoints(40), (std::vector<int>{7, 14, 20, 25, 29, 32, 34, 36, 38}));
}

TEST(Apgd, StepSizesHalveOnOscillationAndOnStallButNotTwiceForOneStall) {
  const auto x = at::full({1, 4}, 0.5f), up = at::ones({1, 4});
  const LossAndGradient start{.loss = at::zeros({1}), .gradient = up, .logits = {}};
  Highest highest(x, start);
  MomentumSteps momentum(x, {.budget = {Norm::linf, 0.4}, .steps = 12}, highest);
  std::vector<bool> halved;
  // 12 steps: checkpoints after 2, 3, 4, ... steps. Loss: rises, rises, stays below its best.
  for (const float loss : {1.f, 2.f, 1.5f, 1.7f, 1.2f, 3.f}) {
    highest.update(x, {.loss = at::full({1}, loss), .gradient = up, .logits = {}});
    const auto back = momentum.shrink(at::full({1}, loss), highest);
    if (back.defined()) halved.push_back(back.item<bool>());
  }
  EXPECT_EQ(halved, (std::vector<bool>{false, true, false, true, false}))
      << "rising; falling; risen below its best right after a halving; falling; rising";
}

TEST(Apgd, StagesOfTheLargerEpsilonAddUpAndEndWithSteps) {
  for (const int steps : {3, 4, 5, 7, 20, 100}) {
    const auto stages =
        apgd_stages({.last = {.budget = {Norm::l1, 4}, .steps = steps}, .larger_epsilon = true});
    ASSERT_EQ(stages.size(), 3u);
    EXPECT_EQ(stages[0].steps + stages[1].steps + stages[2].steps, steps);
    EXPECT_GE(stages[2].steps, 1);
    EXPECT_EQ(stages[0].budget.epsilon, 12);
    EXPECT_EQ(stages[1].budget.epsilon, 8);
    if (steps == 100) {
      EXPECT_EQ(stages[0].steps, 30);
      EXPECT_EQ(stages[2].steps, 40);
    } else if (steps == 20) {
      EXPECT_EQ(stages[2].steps, 8);
    }
  }
}

TEST(Apgd, PassesAreThoseOfTheHeader) {
  const auto model = curved({12});
  const auto x = images(3, {12}), y = labels(3, 4);
  const auto passes = [&](ApgdOptions options) {
    const auto made = apgd(model, x, y, options).passes;
    return std::pair(made.forwards / 3, made.backwards / 3);
  };
  using Pair = std::pair<std::int64_t, std::int64_t>;
  EXPECT_EQ(passes({.steps = 10}), Pair(11, 10));
  EXPECT_EQ(passes({.steps = 10, .eot = 3}), Pair(33, 30));
  EXPECT_EQ(passes({.steps = 10, .loss = AttackLoss::kl}), Pair(12, 10));
  EXPECT_EQ(passes({.budget = {Norm::l1, 1}, .steps = 10}), Pair(13, 10));
  EXPECT_EQ(passes({.budget = {Norm::l1, 1}, .steps = 10, .larger_epsilon = false}), Pair(11, 10));
  EXPECT_EQ(passes({.steps = 10, .compat = Compat::autoattack}), Pair(12, 10));
  const auto targeted = apgd_t(model, x, y, {.steps = 10, .targets = 1, .eot = 2}).passes;
  EXPECT_EQ(targeted.forwards, 3 * 2 * 12);
  EXPECT_EQ(targeted.backwards, 3 * 2 * 10);
}

TEST(Apgd, TargetedMovesTowardsTheTarget) {
  const auto model = curved({12});
  const auto x = images(6, {12}), target = (model(x).argmax(1) + 1) % 4;
  for (const auto loss : {AttackLoss::cross_entropy, AttackLoss::dlr, AttackLoss::margin}) {
    const auto result =
        apgd(model, x, target,
             {.budget = {Norm::linf, 0.3}, .steps = 20, .loss = loss, .targeted = true});
    const auto logits = model(result.x_adv);
    EXPECT_TRUE(at::equal(result.success, logits.argmax(1) == target));
    EXPECT_TRUE(at::allclose(result.loss, -attack_loss(loss, logits, target), 1e-4, 1e-5));
    EXPECT_GT(result.success.sum().item<std::int64_t>(), 0) << to_string(loss);
  }
}

TEST(Apgd, ReturnsTheMisclassifiedIterateOfTheHighestLossElseTheHighest) {
  const auto model = curved({12});
  const auto x = images(8, {12}), y = labels(8, 4);
  Recorder recorder(climbed_loss(AttackLoss::cross_entropy, false));
  Context context;
  context.loss = recorder.hook();
  const auto result = apgd(model, x, y, {.budget = {Norm::linf, 0.002}, .steps = 15}, context);
  const auto failed = result.success.logical_not();
  ASSERT_TRUE(failed.any().item<bool>() && result.success.any().item<bool>());
  EXPECT_TRUE(
      at::equal(result.loss.masked_select(failed), recorder.highest().masked_select(failed)));
  EXPECT_TRUE(at::equal(result.x_adv.index({failed}), recorder.highest_point().index({failed})));
}

TEST(Apgd, RefusesBeforeTheFirstPassAndSaysWhatToDo) {
  const auto model = curved({12}, 3);
  const auto x = images(2, {12}), y = labels(2, 3);
  Passes passes;
  const auto refusal = [&](const ApgdOptions& options) {
    return message_of([&] { apgd(model, x, y, options, {.passes = &passes}); });
  };
  EXPECT_EQ(refusal({.larger_epsilon = true}),
            "[apgd-ce] larger_epsilon: needs the norm l1 and at least 3 steps, got linf and 100; "
            "leave it auto");
  EXPECT_NE(refusal({.budget = {Norm::l1, 4}, .steps = 2, .larger_epsilon = true}).find("3 steps"),
            std::string::npos);
  EXPECT_EQ(refusal({.rho = 1.5}), "[apgd-ce] rho: expected a number in [0, 1], got 1.5");
  EXPECT_EQ(message_of([&] { apgd_t(model, x, y, {}, {.passes = &passes}); }),
            "[apgd-t] needs at least 4 classes for its targeted loss, the model has 3; use "
            "apgd-ce");
  EXPECT_EQ(passes.forwards, 0);
  EXPECT_EQ(apgd(model, x, y, {.budget = {Norm::l1, 1}, .steps = 1}).passes.backwards, 2)
      << "one step: no larger epsilon";
}

TEST(Apgd, ObserverSeesEachStepOfEachStageAndRestart) {
  std::vector<int> steps;
  const Context context{.observe = [&](int step, double) { steps.push_back(step); }};
  const auto model = curved({12});
  const auto x = images(2, {12}), y = model(x).argmax(1);
  apgd(model, x, y, {.budget = {Norm::l1, 1e-3}, .steps = 4, .restarts = 2}, context);
  EXPECT_EQ(steps, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(ApgdT, AimsAtTheLikeliestOtherClassesInTurnTheOwnNever) {
  const auto logits = at::tensor({5.f, 1.f, 3.f, 3.f, 1.f, 2.f, 9.f, 3.f}).view({2, 4});
  const auto y = at::tensor({0, 0}, at::kLong);
  const auto ranks = [&](std::int64_t rank) {
    const auto target = rival_classes(logits, y).select(1, rank);
    return std::pair(target[0].item<std::int64_t>(), target[1].item<std::int64_t>());
  };
  using Pair = std::pair<std::int64_t, std::int64_t>;
  EXPECT_EQ(ranks(0), Pair(2, 2)) << "a tie goes to the lower class";
  EXPECT_EQ(ranks(1), Pair(3, 3));
  EXPECT_EQ(ranks(2), Pair(1, 1));
}

TEST(ApgdT, RoundsAreTargetsTimesRestartsAndAtMostAllOtherClasses) {
  EXPECT_EQ(rounds(ApgdTOptions{}, 10), 9);
  EXPECT_EQ(rounds(ApgdTOptions{}, 5), 4);
  EXPECT_EQ(rounds(ApgdTOptions{.targets = 3, .restarts = 2}, 200), 6);
}

TEST(ApgdT, EachRoundClimbsTowardsItsOwnClass) {
  const auto model = golden_linear();
  const auto x = images(2, {3, 8, 8}), y = model(x).argmax(1);
  const auto clean = model(x);
  for (const int round : {0, 1, 2, 3}) {
    const auto target = rival_classes(clean, y).select(1, round / 2);
    const auto before = dlr_targeted(clean, y, target);
    const auto result = apgd_t(
        model, x, y, {.budget = {Norm::linf, 1e-3}, .steps = 10, .restarts = 2}, {.round = round});
    EXPECT_TRUE((result.loss > before).all().item<bool>()) << round;
    EXPECT_TRUE(at::allclose(result.loss, dlr_targeted(model(result.x_adv), y, target), 1e-4));
  }
}

}  // namespace
}  // namespace namid::attacks
