// SPDX-License-Identifier: Apache-2.0
// Baselines without gradients: noise and random search.
#include <gtest/gtest.h>

#include "attacks/contract.h"
#include "namid/attacks/noise.h"
#include "namid/attacks/random_search.h"

namespace namid::attacks {
namespace {

TEST(Noise, BorderPointsLieOnTheBorderAndOthersInside) {
  const auto model = curved({1, 4, 4});
  const auto x = images(40, {1, 4, 4}, 0.2);  // far from the box
  const auto y = model(x).argmax(1);
  for (const Norm norm : {Norm::linf, Norm::l2, Norm::l1}) {
    NoiseOptions options{.budget = {norm, 0.1}, .draws = 1};
    const auto border = perturbation_norms(noise(model, x, y, options).x_adv, x, norm);
    EXPECT_NEAR(border.min().item<double>(), 0.1, 1e-6) << to_string(norm);
    EXPECT_NEAR(border.max().item<double>(), 0.1, 1e-6) << to_string(norm);
    options.kind = NoiseKind::ball;
    const auto inside = perturbation_norms(noise(model, x, y, options).x_adv, x, norm);
    EXPECT_LT(inside.min().item<double>(), 0.0999) << to_string(norm);
  }
}

TEST(Noise, CornersAreDrawnEvenlyAndDifferAmongSamplesAndDraws) {
  const auto model = curved({1, 4, 4});
  const auto x = images(200, {1, 4, 4}, 0.2);
  const auto y = model(x).argmax(1);
  const auto up = (noise(model, x, y, {.draws = 1}).x_adv > x).to(at::kDouble);
  EXPECT_NEAR(up.mean().item<double>(), 0.5, 0.03);  // 3200 fair draws: sd 0.009
  const auto share = up.flatten(1).mean(0);
  EXPECT_GT(share.min().item<double>(), 0.35);
  EXPECT_LT(share.max().item<double>(), 0.65);
  EXPECT_FALSE(at::equal(up[0], up[1]));
  EXPECT_EQ(rounds(NoiseOptions{.draws = 7}), 7);
}

TEST(Noise, MoreDrawsFoolNoFewerAndADrawCostsOneForward) {
  const auto model = curved({1, 4, 4});
  const auto x = images(60, {1, 4, 4});
  const auto y = model(x).argmax(1);
  std::int64_t before = 0;
  for (const int draws : {1, 10, 100}) {
    const auto result = noise(model, x, y, {.budget = {Norm::linf, 0.08}, .draws = draws});
    const auto broken = result.success.sum().item<std::int64_t>();
    EXPECT_GE(broken, before);
    before = broken;
    EXPECT_LE(result.passes.forwards, 60 * draws);
    EXPECT_EQ(result.passes.backwards, 0);
    EXPECT_TRUE(at::equal(result.forwards.masked_select(result.success.logical_not()),
                          at::full({60 - broken}, draws, at::kLong)));
  }
  EXPECT_GT(before, 0);
  EXPECT_LT(before, 60);
}

TEST(RandomSearch, ClimbsALinearModelFurtherThanNoiseAndStopsWhereItFools) {
  const auto model = golden_linear();
  const auto x = images(8, {3, 8, 8}, 0.3);
  const auto y = model(x).argmax(1);
  const Budget budget{Norm::linf, 0.001};  // nearer than any boundary
  const auto margin = [&](const at::Tensor& loss) { return loss.mean().item<double>(); };
  const auto tried = noise(model, x, y, {.budget = budget, .draws = 200});
  const auto climbed = random_search(model, x, y, {.budget = budget, .steps = 200});
  EXPECT_GE(climbed.success.sum().item<std::int64_t>(), tried.success.sum().item<std::int64_t>());
  EXPECT_GT(margin(climbed.loss), margin(tried.loss));
  const auto forwards = at::where(climbed.success, climbed.step + 1, 201);
  EXPECT_TRUE(at::equal(climbed.forwards, forwards));
}

TEST(RandomSearch, AStepOfZeroStaysAndRestartsDiffer) {
  const auto model = golden_linear();
  const auto x = images(3, {3, 8, 8}, 0.3);
  const auto y = model(x).argmax(1);
  const Budget budget{Norm::l2, 1e-3};
  const auto still = random_search(model, x, y, {.budget = budget, .steps = 5, .step_size = 0.0});
  EXPECT_TRUE(same_bits(still.x_adv, x));
  const auto once = random_search(model, x, y, {.budget = budget, .steps = 5});
  const auto twice = random_search(model, x, y, {.budget = budget, .steps = 5, .restarts = 2});
  EXPECT_TRUE((twice.loss >= once.loss).all().item<bool>());
  EXPECT_FALSE(at::equal(twice.loss, once.loss));
}

// Chance reaches no plane for certain: no reach is promised.
NAMID_ATTACK_CONTRACT(Noise, {.attack = "noise", .options = {{"draws", "6"}}, .reach = 0});
NAMID_ATTACK_CONTRACT(RandomSearch,
                      {.attack = "random-search", .options = {{"steps", "12"}}, .reach = 0});

}  // namespace
}  // namespace namid::attacks
