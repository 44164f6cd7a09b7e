// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/capacity.h"

#include "attacks/toy.h"
#include "namid/attacks/frank_wolfe.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/transport_pgd.h"

namespace namid::attacks {
namespace {

#include "attacks/transport_problems.inc"

at::Tensor floats(const std::vector<double>& values) {
  return doubles(values).to(at::kFloat);
}

double most(const at::Tensor& values) {
  return values.max().item<double>();
}

/// An image of 2 x 3 pixels and a plan far outside.
struct FullPixels {
  at::Tensor x = floats({.9, .2, .95, .7, 1, .1}).view({1, 1, 2, 3});
  at::Tensor costs = move_costs(2, 3, 3);
  at::Tensor plan = plan_of_rest(x, 3) + wave({1, 1, 2, 3, 9}, 0.5, 1.3);

  at::Tensor projected(double limit, const CapacityAscent& ascent) const {
    return capacity_projection(plan, x, costs, doubles({limit}), ascent);
  }
};

TEST(Capacity, ProjectionIsTheNearestPlanUnderAllConstraints) {
  const FullPixels toy;
  for (const auto& [limit, expected] :
       {std::pair{0.3, kCapacityTight}, std::pair{2.0, kCapacityLoose}}) {
    const auto whole = arrived(toy.projected(limit, {.tolerance = 0}), 3).flatten();
    EXPECT_TRUE(at::allclose(whole, floats(expected), 0, 5e-4)) << whole;
    const auto early = arrived(toy.projected(limit, {}), 3).flatten();
    EXPECT_TRUE(at::allclose(early, floats(expected), 0, 1e-3)) << early;
  }
  EXPECT_GT(most(arrived(dual_projection(toy.plan, toy.x, toy.costs, doubles({2}), {}), 3)), 1.05)
      << "without the constraint a pixel is overfull";
}

TEST(Capacity, ProjectionKeepsRowsCostAndCapacity) {
  const auto x = images(3, {2, 6, 5}), costs = move_costs(6, 5, 4);
  const auto plan = plan_of_rest(x, 4) + wave({3, 2, 6, 5, 16}, 0.6, 0.77);
  const auto budget = mass_of(x) * 0.3;
  const auto found = capacity_projection(plan, x, costs, budget);
  EXPECT_GE(found.min().item<double>(), 0);
  EXPECT_TRUE(at::allclose(found.sum(-1), x, 0, 1e-5));
  EXPECT_TRUE((transport_cost(found, costs) <= budget * (1 + 1e-5)).all().item<bool>());
  EXPECT_LE(most(arrived(found, 4)), 1 + 1e-3);
  EXPECT_TRUE(at::allclose(
      capacity_projection(plan.slice(0, 1, 2), x.slice(0, 1, 2), costs, budget.slice(0, 1, 2)),
      found.slice(0, 1, 2), 0, 1e-6))
      << "a sample alone is projected as in its batch";
}

TEST(Capacity, WhereNothingIsOverfullItIsTheDualProjection) {
  const auto x = images(2, {1, 4, 4}, 0.1) * 0.5, costs = move_costs(4, 4, 3);
  const auto plan = plan_of_rest(x, 3) + wave({2, 1, 4, 4, 9}, 0.1, 1.9);
  const auto budget = mass_of(x) * 0.05;
  EXPECT_TRUE(same_bits(capacity_projection(plan, x, costs, budget),
                        dual_projection(plan, x, costs, budget, {.iterations = 50})));
}

TEST(Capacity, WhatIsTooMuchGoesBackWhereItCameFrom) {
  const auto x = floats({1, .5, .5}).view({1, 1, 1, 3});
  auto plan = plan_of_rest(x, 3);
  const auto left = 3, stay = 4;
  plan[0][0][0][1][left] = .3F;  // on a pixel that is full
  plan[0][0][0][1][stay] = .2F;
  plan[0][0][0][2][left] = .4F;
  plan[0][0][0][2][stay] = .1F;
  const auto kept = sent_back(plan, x);
  // The .3 goes home to .5, where .4 came meanwhile: that is .9 and fits.
  EXPECT_TRUE(at::allclose(arrived(kept, 3).flatten(), floats({1, .9, .1}), 0, 1e-6));
  EXPECT_TRUE(at::allclose(kept.sum(-1), x, 0, 1e-6));
}

TEST(Capacity, SentBackPlansFitHoweverCrowdedAndCostNoMore) {
  const auto x = (wave({4, 2, 7, 6}, 1, 0.37) + 0.8).clamp(0, 1), costs = move_costs(7, 6, 5);
  const auto plan = dual_projection(plan_of_rest(x, 5) + wave({4, 2, 7, 6, 25}, 2, 1.77), x, costs,
                                    mass_of(x), {});
  EXPECT_GT(most(arrived(plan, 5)), 1.5);
  const auto kept = sent_back(plan, x);
  EXPECT_GE(kept.min().item<double>(), 0);
  EXPECT_LE(most(arrived(kept, 5)), 1 + 2e-6);
  EXPECT_TRUE(at::allclose(kept.sum(-1), x, 0, 1e-6));
  EXPECT_TRUE(
      (transport_cost(kept, costs) <= transport_cost(plan, costs) + 1e-5).all().item<bool>());
  EXPECT_GT(transport_cost(kept, costs).min().item<double>(), 0.5) << "not everything goes back";
  EXPECT_TRUE(same_bits(sent_back(plan_of_rest(x, 5), x), plan_of_rest(x, 5)));
}

TEST(Capacity, WithinCostMovesTowardsRestAsFarAsNeeded) {
  const auto x = images(2, {1, 4, 4}), costs = move_costs(4, 4, 3);
  const auto plan = dual_projection(plan_of_rest(x, 3) + wave({2, 1, 4, 4, 9}, 1, 1.9), x, costs,
                                    mass_of(x) * 0.2, {});
  const auto cost = transport_cost(plan, costs);
  const auto kept = within_cost(plan, x, costs, doubles({cost[0].item<double>() / 2, 1e9}));
  EXPECT_NEAR(transport_cost(kept, costs)[0].item<double>(), cost[0].item<double>() / 2, 1e-5);
  EXPECT_TRUE(at::allclose(kept[1], plan[1], 0, 1e-6));
  EXPECT_TRUE(same_bits(within_cost(plan, x, costs, doubles({0, 0})), plan_of_rest(x, 3)));
}

class Overflowing : public ::testing::TestWithParam<Overflow> {
 protected:
  void expect_an_image(const AttackResult& made, int kernel, double epsilon) const {
    EXPECT_TRUE(at::allclose(arrived(made.plan, kernel), made.x_adv, 0, 2e-6)) << "no mass is lost";
    EXPECT_TRUE(at::allclose(made.plan.sum(-1), x, 0, 1e-5));
    const auto cost = transport_cost(made.plan, move_costs(8, 8, kernel)) / mass_of(x);
    EXPECT_LE(most(cost), epsilon * (1 + 1e-6));
    EXPECT_TRUE(at::equal(made.success, model(made.x_adv).argmax(1) != y));
    EXPECT_GT(made.loss.min().item<double>(), 1.95) << "clean: 1.94591";
  }
  Classifier model = golden_linear();
  at::Tensor x = images(2, {3, 8, 8});
  at::Tensor y = at::zeros({2}, at::kLong);
};

TEST_P(Overflowing, AttacksReturnImagesInTheBall) {
  constexpr double kEpsilon = 0.05;
  expect_an_image(
      frank_wolfe(model, x, y, {.budget = {Norm::wasserstein, kEpsilon}, .overflow = GetParam()}),
      5, kEpsilon);
  expect_an_image(
      transport_pgd(
          model, x, y,
          {.budget = {Norm::wasserstein, kEpsilon}, .step_size = 0.05, .overflow = GetParam()}),
      4, kEpsilon);
}

INSTANTIATE_TEST_SUITE_P(Treated, Overflowing,
                         ::testing::Values(Overflow::send_back, Overflow::project),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace namid::attacks
