// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/sinkhorn.h"

#include "attacks/toy.h"
#include "namid/attacks/lambert_w.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/projected_sinkhorn.h"

namespace namid::attacks {
namespace {

namespace problems {
#include "attacks/transport_problems.inc"
}
#include "attacks/lambert_w.inc"

double largest_of(const at::Tensor& values) {
  return values.abs().max().item<double>();
}

TEST(LambertW, IsScipys) {
  for (const auto& [z, w] : kOfZ)
    EXPECT_NEAR(lambert_w(doubles({z})).item<double>(), w,
                (z < -0.35 ? 1e-12 : 4e-15) * std::abs(w))
        << z;
  for (const auto& [u, w] : kOfExp)
    EXPECT_NEAR(lambert_w_of_exp(doubles({u})).item<double>(), w, 4e-15 * w) << u;
}

TEST(LambertW, EndsOfItsDomain) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_NEAR(lambert_w(doubles({-1 / std::exp(1.0)})).item<double>(), -1, 1e-7);
  EXPECT_TRUE(std::isnan(lambert_w(doubles({-0.4})).item<double>()));
  EXPECT_EQ(lambert_w(doubles({infinity})).item<double>(), infinity);
  EXPECT_EQ(lambert_w_of_exp(doubles({-infinity})).item<double>(), 0);
}

TEST(Sinkhorn, IsTheBruteForceSolution) {
  const auto x = at::tensor({.9F, .2F, .95F, .7F, .5F, .1F}).view({1, 1, 2, 3});
  const auto y = x + wave({1, 1, 2, 3}, 0.4, 2);
  const auto found = sinkhorn_projection(y, x, move_costs(2, 3, 3), 0.2,
                                         {.lambda = 50, .iterations = 5000, .tolerance = 1e-14});
  EXPECT_TRUE(at::allclose(found.image.flatten(), doubles(problems::kEntropicImage), 0, 2e-6))
      << found.image;
  EXPECT_NEAR(found.primal.item<double>(), problems::kEntropicObjective, 1e-6);
  EXPECT_NEAR(found.dual.item<double>(), problems::kEntropicObjective, 1e-6);
  EXPECT_GT(found.psi.item<double>(), 0);
}

class SinkhornProjection : public ::testing::Test {
 protected:
  SinkhornPoint projected(const at::Tensor& point, const Sinkhorn& options, double epsilon) const {
    return sinkhorn_projection(point, x, costs, epsilon, options);
  }
  at::Tensor x = images(3, {2, 6, 5});
  at::Tensor costs = move_costs(6, 5, 5);
  at::Tensor mass = per_sample(mass_of(x), x);
};

TEST_F(SinkhornProjection, APointInsideTheBallNearlyStays) {
  auto plan = plan_of_rest(x, 5);  // a tenth of every third column goes one pixel to the right
  const auto moved = x.slice(3, 0, 4, 3) * 0.1;
  plan.slice(3, 0, 4, 3).select(-1, 12).sub_(moved);
  plan.slice(3, 0, 4, 3).select(-1, 13).add_(moved);
  const auto point = arrived(plan, 5);
  double before = 1;
  for (const double lambda : {1e3, 1e4, 1e5}) {
    const auto found =
        projected(point, {.lambda = lambda, .iterations = 1000, .tolerance = 1e-9}, 0.5);
    const double away = largest_of(found.image * mass - point);
    EXPECT_LT(away, before / 3) << "entropy counts for less and less";
    before = away;
  }
  EXPECT_LT(before, 1e-2);
}

TEST_F(SinkhornProjection, ThePlanIsACouplingOfTheBall) {
  const auto point = x + wave({3, 2, 6, 5}, 0.4, 1.7);
  const auto found = projected(point, {.lambda = 300, .iterations = 5000, .tolerance = 1e-15}, 0.1);
  EXPECT_TRUE(found.finite.all().item<bool>());
  EXPECT_GE(found.plan.min().item<double>(), 0);
  EXPECT_LT(largest_of(found.plan.sum(-1) - x / mass), 1e-12) << "row sums";
  EXPECT_LT(largest_of(arrived(found.plan, 5) - found.image), 1e-7) << "column sums";
  const auto cost = transport_cost(found.plan, costs);
  EXPECT_TRUE(at::allclose(cost, at::full_like(cost, 0.1), 1e-4)) << cost;
  EXPECT_TRUE(at::allclose(found.primal, found.dual, 1e-6)) << "the duality gap closes";
}

TEST_F(SinkhornProjection, TheDualStaysBelowThePrimal) {
  const auto point = x + wave({3, 2, 6, 5}, 0.4, 1.7);
  // Of a plan within the cost: with epsilon as wide as all moves the constraint does not bind.
  for (const int iterations : {1, 3, 10, 100}) {
    const auto found = projected(point, {.iterations = iterations, .tolerance = 0}, 10);
    EXPECT_TRUE((found.dual <= found.primal + 1e-9).all().item<bool>()) << iterations;
  }
}

TEST_F(SinkhornProjection, ASampleStopsForItself) {
  const auto point = x + wave({3, 2, 6, 5}, 0.4, 1.7);
  const auto together = projected(point, {}, 0.1);
  const auto alone = sinkhorn_projection(point.slice(0, 1, 2), x.slice(0, 1, 2), costs, 0.1);
  EXPECT_TRUE(at::allclose(together.plan[1], alone.plan[0], 1e-9, 1e-14));
}

TEST_F(SinkhornProjection, BlackImagesAndBlackPixelsGiveNoNaN) {
  x[0].zero_();
  x[1].select(2, 2).zero_();
  const auto found = projected(x + 0.1, {}, 0.1);
  EXPECT_TRUE(found.finite.all().item<bool>());
  EXPECT_EQ(largest_of(found.plan[0]), 0);
  EXPECT_EQ(largest_of(found.plan[1].select(2, 2)), 0) << "no mass, no moves";
}

TEST_F(SinkhornProjection, OverflowIsFlaggedSampleBySample) {
  auto point = x.clone();
  point[1] *= 1e30;
  const auto found = projected(point, {.lambda = 1e300}, 0.1);
  EXPECT_FALSE(found.finite[1].item<bool>());
  EXPECT_TRUE(projected(x, {}, 0.1).finite.all().item<bool>());
}

class ProjectedSinkhornAttack : public ::testing::Test {
 protected:
  Classifier model = golden_linear();
  at::Tensor x = images(2, {3, 8, 8});
  at::Tensor y = at::zeros({2}, at::kLong);
};

TEST_F(ProjectedSinkhornAttack, StaysInTheBallAndRaisesTheLoss) {
  for (const double epsilon : {.02, .2}) {
    const auto made = projected_sinkhorn(model, x, y,
                                         {.budget = {Norm::wasserstein, epsilon},
                                          .steps = 10,
                                          .projection = {.lambda = 1e5, .iterations = 100}});
    EXPECT_TRUE(at::allclose(made.plan.sum(-1), x, 0, 1e-5));
    EXPECT_TRUE(at::allclose(arrived(made.plan, 5), made.x_adv, 0, 2e-6));
    const auto cost = transport_cost(made.plan, move_costs(8, 8, 5)) / mass_of(x);
    EXPECT_LE(cost.max().item<double>(), epsilon * (1 + 1e-6));
    EXPECT_TRUE(at::equal(made.success, model(made.x_adv).argmax(1) != y));
    EXPECT_GT(made.loss[0].item<double>(), 1.95) << "clean: 1.94591";
    EXPECT_GT(made.loss[1].item<double>(), 2.00) << "clean: 1.99873";
  }
}

TEST_F(ProjectedSinkhornAttack, WhereItOverflowsTheSampleComesBackClean) {
  const auto made = projected_sinkhorn(
      model, x, y,
      {.steps = 3, .step_size = 1e30, .projection = {.lambda = 1e300}, .judge = Judge::last});
  EXPECT_TRUE(same_bits(made.x_adv, x));
  EXPECT_TRUE(same_bits(made.plan, plan_of_rest(x, 5)));
  EXPECT_EQ(made.step.max().item<std::int64_t>(), 0);
  EXPECT_TRUE(at::equal(made.success, model(x).argmax(1) != y));
}

}  // namespace
}  // namespace namid::attacks
