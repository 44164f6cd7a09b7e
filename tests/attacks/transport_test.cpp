// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/transport.h"

#include "attacks/toy.h"
#include "namid/attacks/frank_wolfe.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/transport_pgd.h"

namespace namid::attacks {
namespace {

TEST(Transport, SimplexProjectionIsTheReferences) {
  const auto v = at::tensor({.5F, -.2F, .9F, .1F});
  EXPECT_TRUE(at::allclose(simplex_projection(v, at::tensor(.6F)), at::tensor({.1F, 0.F, .5F, 0.F}),
                           0, 1e-6));
}

TEST(Transport, SimplexProjectionIsTheNearestPointOfTheSimplex) {
  const auto v = wave({50, 9}, 1, 1.7), total = wave({50}, 0.4, 0.9) + 0.5;
  const auto p = simplex_projection(v, total);
  EXPECT_TRUE((p >= 0).all().item<bool>());
  EXPECT_TRUE(at::allclose(p.sum(1), total, 1e-5, 1e-6));
  // v − p is the same where p > 0 and no larger elsewhere (optimality).
  const auto gap = v - p;
  const auto level = at::where(p > 0, gap, -INFINITY).amax(1, true);
  EXPECT_TRUE((gap <= level + 1e-5).all().item<bool>());
  EXPECT_TRUE(at::where(p > 0, gap - level, 0).abs().lt(1e-5).all().item<bool>());
  EXPECT_TRUE(at::equal(simplex_projection(v, at::zeros({50})), at::zeros({50, 9})));
}

TEST(Transport, ArrivedAndGatheredAreAdjoint) {
  for (const int kernel : {1, 3, 4, 5}) {
    const auto plan = wave({2, 3, 4, 6, kernel * kernel}, 1, 0.37);
    const auto image = wave({2, 3, 4, 6}, 1, 1.1, 0.4);
    EXPECT_NEAR((arrived(plan, kernel) * image).sum().item<double>(),
                (plan * gathered(image, kernel)).sum().item<double>(), 1e-3);
  }
}

TEST(Transport, RestMovesNothingAndCostsNothing) {
  for (const int kernel : {3, 4, 5}) {
    const auto x = images(2, {3, 5, 6});
    const auto plan = plan_of_rest(x, kernel);
    EXPECT_TRUE(at::equal(arrived(plan, kernel), x));
    EXPECT_EQ(transport_cost(plan, move_costs(5, 6, kernel)).abs().max().item<double>(), 0);
  }
}

TEST(Transport, CostsAreDistancesInsideTheImage) {
  const auto costs = move_costs(4, 4, 3);
  EXPECT_EQ(costs[0][0][4].item<double>(), 0);
  EXPECT_EQ(costs[0][0][5].item<double>(), 1) << "to the right";
  EXPECT_NEAR(costs[0][0][8].item<double>(), std::sqrt(2.0), 1e-6);
  EXPECT_EQ(costs[0][0][0].item<double>(), kOutside) << "up and left leaves the image";
  EXPECT_EQ(costs[3][3][8].item<double>(), kOutside);
  EXPECT_NEAR(move_costs(8, 8, 4)[4][4][0].item<double>(), std::sqrt(8.0), 1e-6) << "-2, -2";
}

TEST(Transport, DualProjectionIsTheReferences) {
  const auto x = at::tensor({.2F, .4F, .6F, .8F}).view({1, 1, 2, 2});
  const auto rest = plan_of_rest(x, 3), costs = move_costs(2, 2, 3);
  const auto plan = rest + wave({1, 1, 2, 2, 9}, 0.3, 1);
  const auto projected =
      dual_projection(plan, x, costs, at::full({1}, .05 * 2, at::kDouble), {.iterations = 15});
  EXPECT_NEAR((transport_cost(projected, costs) / 2).item<double>(), .04950795, 2e-6);
  EXPECT_TRUE(at::allclose(arrived(projected, 3).flatten(),
                           at::tensor({.11614641F, .4F, .65198303F, .83187056F}), 0, 2e-6));
}

class TransportAttacks : public ::testing::Test {
 protected:
  void expect_allowed(const AttackResult& made, double epsilon, int kernel) const {
    const auto cost = transport_cost(made.plan, move_costs(8, 8, kernel)) / mass_of(x);
    EXPECT_GE(made.plan.min().item<double>(), 0);
    EXPECT_TRUE(at::allclose(made.plan.sum(-1), x, 1e-5, 1e-6)) << "row sums";
    EXPECT_TRUE(at::allclose(arrived(made.plan, kernel).clamp(0, 1), made.x_adv));
    EXPECT_LE(cost.max().item<double>(), epsilon * (1 + 1e-6));
    EXPECT_TRUE(at::equal(made.success, model(made.x_adv).argmax(1) != y));
  }
  Classifier model = golden_linear();
  at::Tensor x = images(2, {3, 8, 8});
  at::Tensor y = at::zeros({2}, at::kLong);
};

TEST_F(TransportAttacks, DualProjectionOfTheReleasedCodeIsTheReferences) {
  const auto made = transport_pgd(model, x, y,
                                  {.budget = {Norm::wasserstein, .005},
                                   .kernel = 5,
                                   .steps = 5,
                                   .step_size = .01,
                                   .projection = {.iterations = 15, .together = true},
                                   .overflow = Overflow::clip,
                                   .judge = Judge::last});
  expect_allowed(made, .005, 5);
  expect_values(attack_loss(AttackLoss::cross_entropy, model(made.x_adv), y), {2.0969, 2.15389},
                2e-4);
  const auto image = arrived(made.plan, 5);
  EXPECT_NEAR((image - x).abs().mean().item<double>(), .00499, 1e-5);
  EXPECT_NEAR(image.max().item<double>(), 1.00138, 2e-4);
  expect_values(mass_of(image), {96.10013, 96.21147}, 1e-5);
}

TEST_F(TransportAttacks, FrankWolfeStaysInTheBallAndRaisesTheLoss) {
  const auto clean = attack_loss(AttackLoss::cross_entropy, model(x), y);
  for (const double epsilon : {0.0, .005, .1}) {
    const auto made =
        frank_wolfe(model, x, y, {.budget = {Norm::wasserstein, epsilon}, .steps = 20});
    expect_allowed(made, std::max(epsilon, 1e-6), 5);
    if (epsilon > 0) {
      EXPECT_TRUE((made.loss > clean).all().item<bool>());
    }
  }
}

TEST_F(TransportAttacks, FrankWolfeIsNotWeakerThanTheProjectionOnALinearModel) {
  const Budget budget{Norm::wasserstein, .02};
  const auto wolfe = frank_wolfe(model, x, y, {.budget = budget, .steps = 100}).loss;
  const auto pgd =
      transport_pgd(model, x, y, {.budget = budget, .steps = 100, .step_size = .05}).loss;
  EXPECT_TRUE((wolfe >= pgd - 0.02).all().item<bool>()) << wolfe << pgd;
}

TEST_F(TransportAttacks, ASampleAloneIsAttackedAsInItsBatch) {
  // The entropy is what keeps rounding in the gradient from choosing other moves.
  const FrankWolfeOptions options{.steps = 10, .gamma = 0.05};
  const auto together = frank_wolfe(model, x, y, options);
  const auto alone = frank_wolfe(model, x.slice(0, 1, 2), y.slice(0, 1, 2), options);
  EXPECT_TRUE(at::allclose(together.x_adv[1], alone.x_adv[0], 0, 1e-4));
}

}  // namespace
}  // namespace namid::attacks
