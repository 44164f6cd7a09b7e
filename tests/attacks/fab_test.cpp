// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/fab.h"

#include "attacks/toy.h"
#include "namid/attacks/fab_t.h"
#include "namid/attacks/norms.h"

namespace namid::attacks {
namespace {

struct FabNorms {
  Norm norm;
  double untargeted[2], targeted[2];
};

class FabGolden : public ::testing::TestWithParam<FabNorms> {
 protected:
  void expect(const AttackResult& result, const double* norms, std::vector<std::int64_t> classes) {
    const auto found = perturbation_norms(result.x_adv, x, GetParam().norm);
    for (int i = 0; i < 2; ++i)
      EXPECT_NEAR(found[i].item<double>(), norms[i], 2e-4 * norms[i]) << "image " << i;
    EXPECT_TRUE(at::equal(model(result.x_adv).argmax(1), at::tensor(classes, at::kLong)));
    EXPECT_TRUE(result.success.all().item<bool>());
  }
  Classifier model = golden_linear();
  at::Tensor x = images(2, {3, 8, 8});
  at::Tensor y = at::zeros({2}, at::kLong);
};

TEST_P(FabGolden, SmallestPerturbationsAreThoseOfTheReference) {
  const auto [norm, untargeted, targeted] = GetParam();
  for (const auto compat : {Compat::none, Compat::autoattack}) {
    const Budget budget{norm, norm == Norm::linf ? 1.0 : 1e3};
    expect(fab_minimum(model, x, y, {.budget = budget, .steps = 10, .compat = compat}), untargeted,
           {7, 7});
    expect(fab(model, x, y, {.budget = budget, .steps = 10, .compat = compat}), untargeted, {7, 7});
    expect(fab_t(model, x, y, {.budget = budget, .targets = 1, .steps = 10, .compat = compat}),
           targeted, {7, 3});
  }
}

INSTANTIATE_TEST_SUITE_P(
    Norms, FabGolden,
    ::testing::Values(FabNorms{Norm::linf, {.002921, .00382}, {.002921, .006317}},
                      FabNorms{Norm::l2, {.036273, .047168}, {.036273, .076262}},
                      FabNorms{Norm::l1, {.353404, .458463}, {.353404, .732502}}),
    [](const auto& info) { return std::string(to_string(info.param.norm)); });

TEST_P(FabGolden, TheRoundsOfFabTFollowTheRanksOfTheCleanLogits) {
  const auto [norm, untargeted, targeted] = GetParam();
  const FabTOptions options{.budget = {.norm = norm}, .steps = 10};
  const auto third = fab_t_minimum(model, x, y, options, {.round = 1});
  const auto found = perturbation_norms(third.x_adv, x, norm);
  EXPECT_NEAR(found[1].item<double>(), untargeted[1], 2e-4 * untargeted[1])
      << "class 7 is third on the second image, and its boundary the nearest of all";
  const auto all = fab_t_minimum(model, x, y, options);
  EXPECT_TRUE(at::allclose(perturbation_norms(all.x_adv, x, norm),
                           doubles({untargeted[0], untargeted[1]}), 2e-4, 0));
  EXPECT_EQ(all.round[1].item<std::int64_t>(), 1);
}

/// Two classes; z_1 − z_0 = ⟨w, x⟩ − b is `gap` below 0 at x = 0.5.
Classifier halves(const at::Tensor& w, double gap) {
  const auto level = w.sum().item<double>() / 2 + gap;
  const auto bias = at::tensor({0.0, -level}, at::kFloat);
  return linear(at::stack({at::zeros_like(w), w}), bias, {w.size(0)});
}

class FabOnAPlane : public ::testing::TestWithParam<Norm> {
 protected:
  static constexpr double kGap = 0.3;
  Norm norm = GetParam();
  at::Tensor w = wave({12}, 1, 0.7, 0.3);
  Classifier model = halves(w, kGap);
  at::Tensor x = at::full({1, 12}, 0.5);
  at::Tensor y = at::zeros({1}, at::kLong);
  double distance = kGap / sample_norms(w.unsqueeze(0), norm == Norm::linf ? Norm::l1
                                                        : norm == Norm::l1 ? Norm::linf
                                                                           : Norm::l2)
                               .item<double>();
};

TEST_P(FabOnAPlane, FindsTheDistanceToThePlane) {
  const auto result = fab_minimum(model, x, y, {.budget = {.norm = norm}, .steps = 10});
  const double found = perturbation_norms(result.x_adv, x, norm).item<double>();
  EXPECT_TRUE(result.success.item<bool>());
  EXPECT_GE(found, distance * (1 - 1e-6));
  EXPECT_LE(found, distance * 1.006);
}

TEST_P(FabOnAPlane, FoolsWithinEveryBallThatReachesThePlane) {
  const auto fooled_at = [&](double epsilon, Compat compat) {
    const auto result =
        fab(model, x, y, {.budget = {norm, epsilon}, .steps = 10, .compat = compat});
    if (compat == Compat::autoattack && !result.success.item<bool>()) {
      EXPECT_TRUE(same_bits(result.x_adv, x));
    }
    return result.success.item<bool>();
  };
  EXPECT_FALSE(fooled_at(distance * 0.999, Compat::none));
  EXPECT_TRUE(fooled_at(distance * 1.0001, Compat::none)) << "found beyond, moved into the ball";
  EXPECT_FALSE(fooled_at(distance * 1.0001, Compat::autoattack));
  EXPECT_TRUE(fooled_at(distance * 1.006, Compat::autoattack));
}

TEST_P(FabOnAPlane, ANormEqualToEpsilonIsWithin) {
  const auto smallest = fab_minimum(model, x, y, {.budget = {.norm = norm}, .steps = 10}).x_adv;
  const double epsilon = perturbation_norms(smallest, x, norm).item<double>();
  for (const auto compat : {Compat::none, Compat::autoattack}) {
    const auto result =
        fab(model, x, y, {.budget = {norm, epsilon}, .steps = 10, .compat = compat});
    EXPECT_TRUE(result.success.item<bool>());
    EXPECT_TRUE(same_bits(result.x_adv, smallest)) << "pitfall 11";
  }
}

TEST_P(FabOnAPlane, OneOtherClassIsOneRoundOfFabTAndThatIsFab) {
  const FabTOptions nine{.budget = {norm, 1}, .targets = 9, .steps = 6};
  EXPECT_EQ(rounds(nine, 2), 1) << "pitfall 9";
  EXPECT_EQ(rounds(nine, 10), 9);
  const auto targeted = fab_t(model, x, y, nine);
  const auto untargeted = fab(model, x, y, {.budget = {norm, 1}, .steps = 6});
  EXPECT_TRUE(same_bits(targeted.x_adv, untargeted.x_adv));
  EXPECT_EQ(targeted.passes.backwards, 6);
}

TEST_P(FabOnAPlane, APlaneOutsideTheBoxIsApproachedInVain) {
  const auto far = halves(w, 100);
  const auto result = fab(far, x, y, {.budget = {norm, 0.4}, .steps = 6});
  EXPECT_FALSE(result.success.item<bool>());
  EXPECT_TRUE(same_bits(result.x_adv, x));
}

TEST_P(FabOnAPlane, RestartsStartAtHalfTheRadius) {
  std::vector<at::Tensor> seen;
  const Classifier watched(
      [&](const at::Tensor& at) {
        seen.push_back(at.detach().clone());
        return model(at);
      },
      model.info());
  const auto start = [&](double epsilon, std::optional<int> round) {
    seen.clear();
    auto generator = at::make_generator<at::CPUGeneratorImpl>(3);
    fab_minimum(watched, x, y, {.budget = {norm, epsilon}, .steps = 1, .restarts = 2},
                {.round = round, .sequential = generator});
    return seen[seen.size() - 2];
  };
  auto generator = at::make_generator<at::CPUGeneratorImpl>(3);
  const auto t =
      norm == Norm::linf ? at::rand({1, 12}, generator) * 2 - 1 : at::randn({1, 12}, generator);
  const auto expected = x + t * (0.2 / 2 / sample_norms(t, norm).item<double>());
  EXPECT_TRUE(at::allclose(start(0.2, 1), expected, 0, 1e-6)) << "in the reference's draws";
  EXPECT_NEAR(perturbation_norms(start(0.9, {}), x, norm).item<double>(), distance * 1.05 / 2, 1e-5)
      << "of the smaller of epsilon and the norm found";
}

INSTANTIATE_TEST_SUITE_P(Norms, FabOnAPlane, ::testing::Values(Norm::linf, Norm::l2, Norm::l1),
                         [](const auto& info) { return std::string(to_string(info.param)); });

TEST(FabPitfalls, AZeroGradientNeitherMovesNorGivesNaN) {
  const Classifier constant([](const at::Tensor& x) { return x.slice(1, 0, 3) * 0; },
                            {.name = "constant", .num_classes = 3, .input_shape = {12}});
  const auto x = images(3, {12}), y = labels(3, 3);
  for (const auto norm : {Norm::linf, Norm::l2, Norm::l1}) {
    for (const auto compat : {Compat::none, Compat::autoattack}) {
      const auto result =
          fab(constant, x, y, {.budget = {norm, 0.3}, .steps = 3, .restarts = 2, .compat = compat});
      EXPECT_TRUE(at::isfinite(result.x_adv).all().item<bool>());
      EXPECT_TRUE(same_bits(result.x_adv, x));
      EXPECT_TRUE(at::equal(result.success, y != 0));
    }
  }
}

TEST(FabPitfalls, AClassThatNeverDiffersDoesNotHideTheOthers) {
  const auto w = wave({12}, 1, 0.7, 0.3);
  const auto zero = at::zeros_like(w);
  const auto twins =
      linear(at::stack({zero, zero, w}),
             at::tensor({0.0, 0.0, -w.sum().item<double>() / 2 - 0.3}, at::kFloat), {12});
  const auto x = at::full({1, 12}, 0.5), y = at::zeros({1}, at::kLong);
  ASSERT_EQ(twins(x).argmax(1).item<std::int64_t>(), 0);
  for (const auto norm : {Norm::linf, Norm::l2, Norm::l1}) {
    const auto run = [&](Compat compat) {
      return fab(twins, x, y, {.budget = {norm, 1}, .steps = 5, .compat = compat})
          .success.item<bool>();
    };
    EXPECT_TRUE(run(Compat::none));
    EXPECT_FALSE(run(Compat::autoattack)) << "the reference takes the twin for the nearest class";
  }
}

TEST(FabPitfalls, TinyWeightsStayOnlyWhereTheReferenceIsRepeated) {
  const auto model = halves(wave({12}, 1e-9, 0.7, 0.3), 3e-10);
  const auto x = at::full({1, 12}, 0.5), y = at::zeros({1}, at::kLong);
  for (const auto norm : {Norm::linf, Norm::l2, Norm::l1}) {
    const auto run = [&](Compat compat) {
      return fab(model, x, y, {.budget = {norm, 1}, .steps = 5, .compat = compat})
          .success.item<bool>();
    };
    EXPECT_TRUE(run(Compat::none)) << to_string(norm);
    EXPECT_EQ(run(Compat::autoattack), norm == Norm::linf) << to_string(norm);
  }
}

TEST(FabPitfalls, EveryPointTheModelSeesIsInTheBox) {
  std::vector<at::Tensor> seen;
  const auto inner = curved({12});
  const Classifier watched(
      [&](const at::Tensor& x) {
        seen.push_back(x.detach().clone());
        return inner(x);
      },
      inner.info());
  const auto x = images(4, {12});
  for (const auto norm : {Norm::linf, Norm::l2, Norm::l1})
    fab_minimum(watched, x, labels(4, 4), {.budget = {norm, 0.9}, .steps = 6, .restarts = 2});
  for (const auto& point : seen) {
    EXPECT_GE(point.min().item<float>(), 0);
    EXPECT_LE(point.max().item<float>(), 1);
  }
}

TEST(FabRefuses, WhatItCannotDoBeforeTheFirstPass) {
  int calls = 0;
  const auto inner = curved({12});
  const Classifier counted(
      [&](const at::Tensor& x) {
        ++calls;
        return inner(x);
      },
      inner.info());
  const auto x = images(2, {12}), y = labels(2, 4);
  EXPECT_EQ(message_of([&] { fab(counted, x, y, {.steps = 0}); }),
            "[fab] steps: expected ≥ 1, got 0");
  EXPECT_EQ(message_of([&] { fab_t(counted, x, y, {.targets = 0}); }),
            "[fab-t] targets: expected ≥ 1, got 0");
  EXPECT_EQ(message_of([&] { fab(counted, x, y, {.alpha_max = 2}); }),
            "[fab] alpha_max: expected a number in [0, 1], got 2");
  EXPECT_THROW(fab(counted, x, y, {.budget = {Norm::linf, 8}}), OptionError);
  EXPECT_THROW(fab(counted, x * 255, y), OptionError);
  EXPECT_THROW(fab_t_minimum(counted, x, y, {.targets = 9}, {.round = 3}), OptionError);
  EXPECT_THROW(fab_minimum(counted, x, y, {}, {.round = 1}), OptionError);
  Context own;
  own.gradient = [](const at::Tensor& at, const at::Tensor&) { return at; };
  EXPECT_NE(message_of([&] { fab(counted, x, y, {}, own); }).find("[fab] context: "),
            std::string::npos);
  EXPECT_EQ(calls, 0);
}

TEST(FabRefuses, LogitsThatAreNotFiniteOrNotDifferentiable) {
  const auto x = images(2, {12}), y = at::zeros({2}, at::kLong);
  const Classifier broken([](const at::Tensor& at) { return at.slice(1, 0, 3) / 0; },
                          {.name = "broken", .num_classes = 3, .input_shape = {12}});
  EXPECT_EQ(message_of<NumericError>([&] { fab(broken, x, y); }),
            "[fab] logits at step 0: not finite for 2 of 2 samples");
  const Classifier blind([](const at::Tensor& at) { return at.detach().slice(1, 0, 3) * -1; },
                         {.name = "blind", .num_classes = 3, .input_shape = {12}});
  EXPECT_NE(message_of([&] { fab(blind, x, at::argmax(blind(x), 1)); }).find("not differentiable"),
            std::string::npos);
}

TEST(FabContext, AStopIsHeededAndStepsAreObserved) {
  const auto x = images(2, {12});
  const auto model = curved({12});
  const auto y = model(x).argmax(1);
  std::vector<int> steps;
  Context context;
  context.observe = [&](int step, double) { steps.push_back(step); };
  context.round = 1;
  fab(model, x, y, {.steps = 3, .restarts = 2}, context);
  EXPECT_EQ(steps, (std::vector<int>{3, 4, 5}));
  run::StopToken stop;
  stop.request(2);
  context.stop = &stop;
  EXPECT_THROW(fab(model, x, y, {.restarts = 2}, context), run::Interrupted);
}

}  // namespace
}  // namespace namid::attacks
