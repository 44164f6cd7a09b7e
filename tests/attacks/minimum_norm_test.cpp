// SPDX-License-Identifier: Apache-2.0
// Attacks that look for the smallest perturbation: CW, DDN, FMN, DeepFool.
#include "namid/attacks/minimum_norm.h"

#include "attacks/contract.h"
#include "namid/attacks/cw.h"
#include "namid/attacks/ddn.h"
#include "namid/attacks/deepfool.h"
#include "namid/attacks/fmn.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/norms.h"

namespace namid::attacks {
namespace {

constexpr double kUnbounded = 1e3;

class MinimumNormGolden : public ::testing::Test {
 protected:
  void expect(const AttackResult& result, Norm norm, const std::vector<double>& norms,
              const std::vector<std::int64_t>& classes, double relative = 2e-4) {
    expect_values(perturbation_norms(result.x_adv, x, norm), norms, relative);
    EXPECT_TRUE(at::equal(model(result.x_adv).argmax(1), at::tensor(classes, at::kLong)));
  }
  Classifier model = golden_linear();
  // Rounded once: on its second image FMN meets a corner between two classes, where a last bit
  // decides.
  at::Tensor x =
      ((at::arange(384, at::kDouble) * 0.13).sin() * 0.5 + 0.5).to(at::kFloat).view({2, 3, 8, 8});
  at::Tensor y = at::zeros({2}, at::kLong);
  Budget l2 = {Norm::l2, kUnbounded};
};

TEST_F(MinimumNormGolden, DdnIsTheReferences) {
  const auto result = ddn(model, x, y, {.budget = l2, .levels = 16});
  expect_values(perturbation_norms(result.x_adv, x, Norm::l2), {.67003, .64765}, 2e-4);
}

TEST_F(MinimumNormGolden, CwWithConfidenceFindsNothingInFewSteps) {
  const auto result = cw(model, x, y,
                         {.budget = l2,
                          .steps = 10,
                          .searches = 4,
                          .initial_const = 1,
                          .kappa = 1,
                          .shrink = 0.999999,
                          .compat = Compat::reference});
  EXPECT_TRUE(same_bits(result.x_adv, x));
  EXPECT_FALSE(result.success.any().item<bool>());
}

TEST_F(MinimumNormGolden, DeepFoolIsTheReferences) {
  const DeepFoolOptions options{.budget = l2, .bisections = 0};
  expect(deepfool(model, x, y, options), Norm::l2, {.036894, .047625}, {7, 7});
  auto linf = options;
  linf.budget = {Norm::linf, 1};
  expect(deepfool(model, x, y, linf), Norm::linf, {.003059, .003939}, {7, 7});
  auto torchattacks = options;
  torchattacks.compat = Compat::torchattacks;
  expect(deepfool(model, x, y, torchattacks), Norm::l2, {.036792, .047524}, {7, 7});
}

TEST_F(MinimumNormGolden, FmnIsTheReferences) {
  const auto at = [&](Norm norm, int steps, double overshoot) {
    return fmn(model, x, y,
               {.budget = {norm, norm == Norm::linf ? 1 : kUnbounded},
                .steps = steps,
                .overshoot = overshoot,
                .compat = Compat::reference});
  };
  expect(at(Norm::linf, 20, 1.02), Norm::linf, {.002907, .006282}, {7, 3}, 3e-4);
  expect(at(Norm::linf, 100, 1.02), Norm::linf, {.002906, .006282}, {7, 3}, 3e-4);
  expect_values(perturbation_norms(at(Norm::l2, 100, 1.02).x_adv, x, Norm::l2).slice(0, 0, 1),
                {.036085}, 2e-4);
  expect_values(perturbation_norms(at(Norm::l1, 100, 1.02).x_adv, x, Norm::l1).slice(0, 0, 1),
                {.352469}, 2e-4);
  for (const auto norm : {Norm::l2, Norm::l1}) {
    const auto second = at(norm, 100, 1.02);
    EXPECT_FALSE(second.success[1].item<bool>()) << "its ascent flips between two classes";
    EXPECT_TRUE(same_bits(second.x_adv[1], x[1]));
  }
  for (const int steps : {20, 100}) expect(at(Norm::l0, steps, 1.02), Norm::l0, {1, 1}, {7, 3});
  const auto faithful = at(Norm::l2, 100, 1);
  EXPECT_TRUE(same_bits(faithful.x_adv, x)) << "ends on the boundary of a linear model";
}

TEST(Fmn, ReachesABoundaryWhereTheBoxBlocksHalfOfTheGradient) {
  const auto half = at::ones({8}), zero = at::zeros({8});
  const auto w = at::cat({half, -half});
  const auto model = linear(at::stack({at::zeros({16}), w}), at::tensor({0.0f, -5.0f}), {16});
  const auto x = at::cat({half / 2, zero}).unsqueeze(0);  // z_1 − z_0 = −1, from δ ≥ 0 alone
  const auto y = at::zeros({1}, at::kLong);
  for (const auto& [norm, nearest] : {std::pair{Norm::l2, 1 / std::sqrt(8.0)}, {Norm::l1, 1.0}}) {
    FmnOptions options{.budget = {norm, 100}};
    const auto found = fmn(model, x, y, options);
    EXPECT_TRUE(found.success.item<bool>());
    const auto length = perturbation_norms(found.x_adv, x, norm).item<double>();
    EXPECT_GE(length, nearest * (1 - 1e-6));
    EXPECT_LE(length, nearest * 1.02);
    options.compat = Compat::reference;
    EXPECT_FALSE(fmn(model, x, y, options).success.item<bool>()) << "the paper's form stops short";
  }
}

TEST(Fmn, InL0FindsTheFewestEntriesOfALinearModel) {
  // z_1 − z_0 = Σ w_i (x_i − 0.5) − level: at the end of the box an entry gains |w_i| / 2.
  const auto w = at::tensor({1.0f, 2.0f, -1.1f, 0.25f, -0.5f, 0.9f});
  const auto x = at::full({1, 6}, 0.5), y = at::zeros({1}, at::kLong);
  const auto run = [&](double epsilon, double level) {
    const auto far = linear(at::stack({at::zeros_like(w), w}),
                            at::stack({at::zeros({}), -w.sum() / 2 - level}), {6});
    return fmn(far, x, y, {.budget = {Norm::l0, epsilon}, .steps = 100});
  };
  const auto entries_of = [&](double level) {
    const auto result = run(6, level);
    EXPECT_TRUE(result.success.item<bool>()) << level;
    return perturbation_norms(result.x_adv, x, Norm::l0).item<double>();
  };
  EXPECT_EQ(entries_of(0.9), 1);
  EXPECT_EQ(entries_of(1.45), 2);
  EXPECT_EQ(entries_of(1.95), 3);
  EXPECT_EQ(entries_of(2.4), 4);
  EXPECT_FALSE(run(2, 1.95).success.item<bool>()) << "no two entries reach it";
  EXPECT_LE(perturbation_norms(run(2, 1.95).x_adv, x, Norm::l0).item<double>(), 2);
}

TEST(DeepFool, BisectionTakesTheOvershootOff) {
  const auto model = curved({1, 8, 8});
  const auto x = images(8, {1, 8, 8});
  const auto y = model(x).argmax(1);
  const auto norm_of = [&](int bisections) {
    const auto result =
        deepfool(model, x, y,
                 {.budget = {Norm::l2, kUnbounded}, .overshoot = 0.5, .bisections = bisections});
    EXPECT_TRUE(result.success.all().item<bool>());
    return perturbation_norms(result.x_adv, x, Norm::l2);
  };
  EXPECT_TRUE((norm_of(10) < norm_of(0)).all().item<bool>());
}

/// z = (0, u + 8uv − 0.5) around x: the first step crosses at u = 0.5, v = 0, nearer points of the
/// boundary lie towards v, into which the gradient turns on the way.
TEST(DeepFool, ASearchThatStaysInTheBallFindsWhatOneThatLeavesItDoesNot) {
  const auto x = at::tensor({0.3f, 0.5f}).view({1, 2});
  const auto y = at::zeros({1}, at::kLong);
  const Classifier model(
      [=](const at::Tensor& at) {
        const auto u = (at - x).select(1, 0), v = (at - x).select(1, 1);
        const auto f = u + 8 * u * v - 0.5;
        return at::stack({at::zeros_like(f), f}, 1);
      },
      {.name = "turning", .num_classes = 2, .input_shape = {2}}, {});
  for (const auto norm : {Norm::l2, Norm::linf}) {
    const double epsilon = 0.35;
    const auto free = deepfool(model, x, y, {.budget = {norm, 1}});
    EXPECT_TRUE(free.success.item<bool>());
    EXPECT_NEAR(perturbation_norms(free.x_adv, x, norm).item<double>(), 0.5, 0.01);
    const auto bounded = deepfool(model, x, y, {.budget = {norm, epsilon}});
    EXPECT_TRUE(bounded.success.item<bool>()) << to_string(norm);
    EXPECT_LE(perturbation_norms(bounded.x_adv, x, norm).item<double>(), epsilon * (1 + 1e-5));
  }
}

TEST(DeepFool, OneCandidateStepsTowardsTheMostLikelyClass) {
  const auto model = golden_linear();
  const auto x = images(2, {3, 8, 8});
  const auto y = at::zeros({2}, at::kLong);
  const auto ranked = model(x).scatter(1, y.unsqueeze(1), -1e9).argmax(1);
  const auto one = deepfool(model, x, y, {.budget = {Norm::l2, kUnbounded}, .candidates = 1});
  EXPECT_TRUE(at::equal(model(one.x_adv).argmax(1), ranked));
}

/// Images whose pixels are all 0 or 1, in front of a model that only looks at them.
TEST(Cw, SaturatedPixelsMove) {
  const auto x = (wave({4, 64}, 1, 0.9) > 0).to(at::kFloat);
  const auto model = linear(wave({3, 64}, 1, 0.37), at::zeros({3}), {64});
  const auto y = model(x).argmax(1);
  const CwOptions options{.budget = {Norm::l2, kUnbounded},
                          .steps = 60,
                          .step_size = 0.05,
                          .initial_const = 1,
                          .warm_start = false};
  EXPECT_TRUE(cw(model, x, y, options).success.all().item<bool>());
  auto frozen = options;
  frozen.shrink = 1 - 1e-7;
  EXPECT_FALSE(cw(model, x, y, frozen).success.any().item<bool>()) << "pitfall 4";
}

/// A step moves w by about 0.01, and a pixel of 0 or 1 needs some 200 of them to move visibly.
TEST(Cw, SearchesThatGoOnMoveSaturatedPixelsWithFewStepsEach) {
  const auto x = (wave({4, 64}, 1, 0.9) > 0).to(at::kFloat);
  const auto model = linear(wave({3, 64}, 1, 0.37), at::zeros({3}), {64});
  const auto y = model(x).argmax(1);
  CwOptions options{.budget = {Norm::l2, kUnbounded}, .steps = 60, .searches = 9};
  EXPECT_TRUE(cw(model, x, y, options).success.all().item<bool>());
  options.warm_start = false;
  EXPECT_FALSE(cw(model, x, y, options).success.any().item<bool>()) << "pitfall 4";
}

TEST(Cw, OneSearchHasNothingToGoOnFrom) {
  const auto model = curved({1, 8, 8});
  const auto x = images(8, {1, 8, 8});
  const auto y = model(x).argmax(1);
  CwOptions options{.budget = {Norm::l2, kUnbounded}, .searches = 1, .step_size = 0.05};
  options.initial_const = 1;
  const auto warm = cw(model, x, y, options);
  options.warm_start = false;
  EXPECT_TRUE(same_bits(warm.x_adv, cw(model, x, y, options).x_adv));
}

TEST(Cw, NoSampleEndsTheSearchOfAnother) {
  const auto model = curved({1, 8, 8});
  const auto x = images(8, {1, 8, 8});
  const auto y = model(x).argmax(1);
  const CwOptions options{.budget = {Norm::l2, kUnbounded}, .step_size = 0.05, .initial_const = 1};
  const auto together = cw(model, x, y, options);
  const auto alone = cw(model, x.slice(0, 3, 4), y.slice(0, 3, 4), options);
  EXPECT_TRUE(at::allclose(together.x_adv[3], alone.x_adv[0], 0, 1e-4));
}

TEST(MinimumNorm, NoneIsSmallerThanTheDistanceToAPlaneAndAllComeNear) {
  const auto w = wave({12}, 1, 0.7, 0.3);
  const double level = w.sum().item<double>() / 2 + 0.3;
  const auto model =
      linear(at::stack({at::zeros_like(w), w}), at::tensor({0.0F, -float(level)}), {12});
  const auto x = at::full({1, 12}, 0.5);
  const auto y = at::zeros({1}, at::kLong);
  const double distance = 0.3 / w.norm().item<double>();
  const auto expect_near = [&](const AttackResult& result, double factor) {
    EXPECT_TRUE(result.success.item<bool>());
    const double found = perturbation_norms(result.x_adv, x, Norm::l2).item<double>();
    EXPECT_GE(found, distance * (1 - 1e-5));
    EXPECT_LE(found, distance * factor);
  };
  const Budget budget{Norm::l2, kUnbounded};
  expect_near(ddn(model, x, y, {.budget = budget, .steps = 200, .levels = 0}), 1.01);
  expect_near(fmn(model, x, y, {.budget = budget, .steps = 200}), 1.01);
  expect_near(deepfool(model, x, y, {.budget = budget}), 1.001);
  expect_near(cw(model, x, y, {.budget = budget, .steps = 200}), 1.03);
}

TEST(MinimumNorm, TargetedEndsInTheTarget) {
  const auto model = curved({1, 8, 8});
  const auto x = images(8, {1, 8, 8});
  const auto target = (model(x).argmax(1) + 2) % 4;
  const Budget budget{Norm::l2, kUnbounded};
  const auto expect_target = [&](const AttackResult& result, std::int64_t count) {
    EXPECT_TRUE(at::equal(result.success, model(result.x_adv).argmax(1) == target));
    EXPECT_GE(result.success.sum().item<std::int64_t>(), count);
  };
  const auto options = DdnOptions{.budget = budget, .steps = 100, .targeted = true};
  expect_target(ddn(model, x, target, options), 6);  // as many as PGD in a ball of 4
  auto search = FmnOptions{.budget = budget, .targeted = true};
  expect_target(fmn(model, x, target, search), 5);  // tanh saturates: the sphere leads too far
  search.compat = Compat::reference;
  expect_target(fmn(model, x, target, search), 8);
  expect_target(
      cw(model, x, target, {.budget = budget, .steps = 100, .step_size = 0.05, .targeted = true}),
      8);
}

/// Attacks by name with few steps, and the passes that a right image takes: before the move into
/// the ball, and with it.
struct Passage {
  Contract contract;
  std::int64_t forwards;
};

class MinimumNormPasses : public ::testing::TestWithParam<Passage> {
 protected:
  AttackResult attacked(double epsilon, bool compact = true) const {
    return contracted(GetParam().contract, {Norm::l2, epsilon})(
        model, x, y, {.random = Random(0, "passes"), .compact = compact});
  }
  void expect_truth(const AttackResult& result) const {
    const auto logits = model(result.x_adv);
    EXPECT_TRUE(at::equal(result.success, logits.argmax(1) != y));
    const auto margin = attack_loss(AttackLoss::margin, logits, y);
    EXPECT_TRUE(at::allclose(result.loss, margin, 0, 1e-5)) << result.loss << margin;
  }
  Classifier model = curved({1, 4, 5});
  at::Tensor x = images(6, {1, 4, 5});
  at::Tensor y = model(x).argmax(1);
};

TEST_P(MinimumNormPasses, APointThatIsKeptAsItWasJudgedIsNotJudgedAgain) {
  const auto far = attacked(kUnbounded);
  ASSERT_GE(far.success.sum().item<std::int64_t>(), 4) << "what was not found is x, read too";
  expect_truth(far);
  EXPECT_TRUE(far.forwards.eq(GetParam().forwards).all().item<bool>()) << far.forwards;
  const auto staying = attacked(kUnbounded, false);
  EXPECT_TRUE(at::equal(staying.x_adv, far.x_adv));
  EXPECT_TRUE(at::equal(staying.loss, far.loss));
  EXPECT_TRUE(at::equal(staying.forwards, far.forwards));
}

TEST_P(MinimumNormPasses, OneThatIsMovedIntoTheBallIs) {
  const auto norms = perturbation_norms(attacked(kUnbounded).x_adv, x, Norm::l2);
  const double epsilon = norms.median().item<double>();
  for (const bool compact : {true, false}) {
    const auto near = attacked(epsilon, compact);
    expect_truth(near);
    EXPECT_TRUE(at::equal(near.forwards - GetParam().forwards, (norms > epsilon).to(at::kLong)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, MinimumNormPasses,
    ::testing::Values(Passage{{.attack = "cw",
                               .options = {{"steps", "10"},
                                           {"searches", "2"},
                                           {"initial_const", "10"},
                                           {"step_size", "0.1"}}},
                              21},
                      Passage{{.attack = "ddn", .options = {{"steps", "15"}}}, 15},
                      Passage{{.attack = "fmn", .options = {{"steps", "60"}}}, 60}),
    [](const auto& info) { return info.param.contract.attack; });

TEST(DeepFool, TheForwardThatJudgesAPointGivesItsGradients) {
  const auto inner = curved({1, 4, 5});
  std::int64_t rows = 0;
  const Classifier model(
      [&](const at::Tensor& images) {
        rows += images.size(0);
        return inner(images);
      },
      inner.info());
  const auto x = images(6, {1, 4, 5}), y = inner(x).argmax(1);
  const DeepFoolOptions options{.budget = {Norm::l2, kUnbounded}, .overshoot = 0};
  const auto one = deepfool(model, x.narrow(0, 0, 1), y.narrow(0, 0, 1), options);
  EXPECT_EQ(rows, one.step.item<std::int64_t>() + 1 + options.bisections);
  EXPECT_EQ(one.forwards.item<std::int64_t>(), rows);
  rows = 0;
  const auto all = deepfool(model, x, y, options, {.compact = false});
  EXPECT_EQ(rows, 6 * (options.steps + 1 + options.bisections));
  EXPECT_EQ(all.forwards[0].item<std::int64_t>(), one.forwards.item<std::int64_t>());
  EXPECT_TRUE(at::allclose(all.x_adv[0], one.x_adv[0], 0, 1e-5));
  const auto logits = inner(all.x_adv);
  EXPECT_TRUE(at::allclose(all.loss, attack_loss(AttackLoss::margin, logits, y), 0, 1e-5));
  EXPECT_TRUE(at::equal(all.success, logits.argmax(1) != y));
}

TEST(MinimumNorm, SayWhatTheyDoNotKnow) {
  const auto model = golden_linear();
  const auto x = images(2, {3, 8, 8});
  const auto y = at::zeros({2}, at::kLong);
  const Budget linf{Norm::linf, 0.1};
  EXPECT_EQ(message_of([&] { cw(model, x, y, {.budget = linf}); }),
            "[cw] norm: expected l2, got linf");
  EXPECT_EQ(message_of([&] {
              cw(model, x, y, {.budget = {Norm::l0, 3}});
            }),
            "[cw] norm: expected l2, got l0");
  EXPECT_EQ(message_of([&] { ddn(model, x, y, {.budget = linf}); }),
            "[ddn] norm: expected l2, got linf");
  EXPECT_EQ(message_of([&] { ddn(model, x, y, {.levels = 1}); }),
            "[ddn] levels: expected 0 (not rounded) or at least 2, got 1");
  EXPECT_EQ(message_of([&] {
              deepfool(model, x, y, {.budget = {Norm::l1, 1}});
            }),
            "[deepfool] norm: expected l2 or linf, got l1");
  EXPECT_EQ(message_of([&] { cw(model, x, y, {.compat = Compat::torchattacks}); }),
            "[cw] compat: expected none or reference, got torchattacks");
  EXPECT_EQ(message_of([&] { deepfool(model, x, y, {.compat = Compat::reference}); }),
            "[deepfool] compat: expected none or foolbox or torchattacks, got reference");
  Context replaced;
  replaced.loss = [](const at::Tensor&, const at::Tensor& z, const at::Tensor&) {
    return z.sum(1);
  };
  EXPECT_NE(message_of([&] { deepfool(model, x, y, {}, replaced); }), "no such error");
}

// CW and FMN reach a plane only in as many steps as its distance asks for: no reach is promised.
NAMID_ATTACK_CONTRACT(
    Cw,
    {.attack = "cw",
     .options = {{"steps", "20"}, {"searches", "3"}, {"step_size", "0.02"}, {"initial_const", "1"}},
     .reach = 0});
NAMID_ATTACK_CONTRACT(
    Ddn,
    {.attack = "ddn",
     .options = {{"steps", "60"}, {"gamma", "0.1"}, {"initial_norm", "0.1"}, {"levels", "0"}}});
NAMID_ATTACK_CONTRACT(Fmn, {.attack = "fmn",
                            .options = {{"steps", "10"}, {"step_size", "0.1"}},
                            .reach = 0});
NAMID_ATTACK_CONTRACT(DeepFool, {.attack = "deepfool", .options = {{"steps", "20"}}});

}  // namespace
}  // namespace namid::attacks
