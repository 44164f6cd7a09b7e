// SPDX-License-Identifier: Apache-2.0
// What of a network a rectangle of pixels reaches, and how much of a Square attack that saves.
#include "namid/engine/region_plan.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "engine/models.h"
#include "namid/attacks/square_eta.h"
#include "namid/engine/region_pass.h"

namespace namid::engine {
namespace {

Network network_of(const std::string& name, std::int64_t width, std::int64_t side) {
  const auto model = unlike_fresh({.model = name, .width = width}, {3, side, side});
  return {make_plan(models::describe(model)), Kernel::winograd};
}

/// Multiply-adds of AutoAttack's Square, 5000 queries in L∞, as a part of those of whole forwards:
/// x, the start and 4998 proposals, each the mean over where its window may lie.
double share_of_square(const Network& network) {
  const auto& images = network.plan().steps.front();
  const attacks::ImageSize size{images.channels, images.height, images.width};
  double sum = 2, share = 0;
  std::int64_t side = 0;
  for (std::int64_t i = 0; i < 4998; ++i) {
    const auto rows =
        attacks::square_window(size, attacks::Norm::linf, attacks::square_share(0.8, i)).rows;
    if (rows != side) {
      side = rows;
      const RegionPlan plan(network.plan(), parts(network, 64), side, side);
      double made = 0;
      const auto places = images.height - side + 1;
      for (std::int64_t top = 0; top < places; ++top)
        for (std::int64_t left = 0; left < places; ++left)
          made += plan.multiply_adds({{top, top + side}, {left, left + side}});
      share = made / static_cast<double>(places * places) / plan.multiply_adds();
    }
    sum += share;
  }
  return sum / 5000;
}

TEST(RegionPlan, CountsWhatIsSavedOfASquareAttackOnResNet18) {
  // Those with a padded stem were counted by a program of its own too.
  const auto cifar = network_of("resnet18-cifar", 64, 32);
  EXPECT_NEAR(RegionPlan(cifar.plan(), parts(cifar, 64), 3, 3).multiply_adds(), 555'422'720, 0.5);
  EXPECT_NEAR(share_of_square(cifar), 0.78161, 1e-4);
  EXPECT_NEAR(share_of_square(network_of("resnet18", 64, 32)), 0.80019, 1e-4);
  EXPECT_NEAR(share_of_square(network_of("resnet18-cifar", 64, 64)), 0.62857, 1e-4);
}

TEST(RegionPlan, ReachesWhatKernelsStridesAndPaddingLetItReach) {
  const auto network = network_of("resnet18-cifar", 16, 32);
  const auto& steps = network.plan().steps;
  const RegionPlan plan(network.plan(), parts(network, 4), 3, 5);
  EXPECT_TRUE(plan.fits({{4, 7}, {20, 25}}));
  EXPECT_FALSE(plan.fits({{4, 9}, {20, 23}}));
  const auto changed = plan.changed({{0, 3}, {20, 25}});
  EXPECT_EQ(changed[0], (Rectangle{{0, 3}, {20, 25}}));
  EXPECT_EQ(changed[1], (Rectangle{{0, 4}, {19, 26}})) << steps[1].name;
  // Columns 16 to 28 are the tiles that the pixels lie in, and 5 what the kernel meets.
  EXPECT_EQ(changed[2], (Rectangle{{0, 5}, {16, 28}})) << steps[2].name;
  for (std::size_t i = 1; i < steps.size(); ++i) {
    if (steps[i].op != StepOp::convolution || steps[i].window.stride[0] != 2 ||
        steps[i].window.kernel[0] != 1)
      continue;
    const auto in = changed[steps[i].input].columns;
    const auto even = [](std::int64_t at) { return (at + 1) / 2; };
    EXPECT_EQ(changed[i].columns, (Interval{even(in.first), even(in.last)})) << steps[i].name;
  }
  EXPECT_EQ(changed.back(), (Rectangle{{0, 1}, {0, 1}}));
}

TEST(RegionPlan, AStridedKernelMayMissARectangle) {
  Plan plan;
  plan.steps.push_back({.name = "x", .channels = 16, .height = 8, .width = 8});
  plan.steps.push_back({.op = StepOp::convolution,
                        .name = "conv",
                        .channels = 16,
                        .height = 4,
                        .width = 4,
                        .window = {.stride = {2, 2}},
                        .weight = at::zeros({16, 16, 1, 1})});
  const RegionPlan one(plan, {PartOf::nothing, PartOf::nothing}, 1, 1);
  EXPECT_EQ(one.changed({{3, 4}, {2, 3}})[1].area(), 0);
  EXPECT_EQ(one.changed({{2, 3}, {2, 3}})[1], (Rectangle{{1, 2}, {1, 2}}));
  EXPECT_EQ(one.multiply_adds({{3, 4}, {2, 3}}), one.multiply_adds()) << "computed whole";
}

TEST(RegionPlan, TakesNothingInPartThatIsNearlyWhole) {
  const auto network = network_of("resnet18", 16, 32);
  const RegionPlan whole(network.plan(), parts(network, 4), 32, 32);
  for (const bool in_part : whole.in_part()) EXPECT_FALSE(in_part);
  EXPECT_EQ(whole.multiply_adds({{0, 32}, {0, 32}}), whole.multiply_adds());
  const RegionPlan small(network.plan(), parts(network, 4), 3, 3);
  std::size_t in_part = 0;
  for (std::size_t i = 0; i < small.in_part().size(); ++i) {
    const auto& step = network.plan().steps[i];
    in_part += small.in_part(i);
    EXPECT_FALSE(small.in_part(i) && step.height <= 8) << step.name << ": reached whole";
  }
  EXPECT_GE(in_part, 4U) << "the first stage at least";
}

}  // namespace
}  // namespace namid::engine
