// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/spatial_grid.h"

#include "attacks/contract.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/warp.h"

namespace namid::attacks {
namespace {

class SpatialGolden : public ::testing::Test {
 protected:
  at::Tensor moved(double rotation, double dx, double dy) const {
    const auto both = [](double value) { return at::full({2}, value, at::kDouble); };
    return warped(x, both(rotation), both(dx), both(dy), Padding::zeros, ShiftUnit::foolbox);
  }
  at::Tensor loss(const at::Tensor& images) const {
    return attack_loss(AttackLoss::cross_entropy, model(images), y);
  }
  Classifier model = golden_linear();
  at::Tensor x = images(2, {3, 8, 8});
  at::Tensor y = at::zeros({2}, at::kLong);
};

TEST_F(SpatialGolden, WarpedImagesAreThoseOfTheReference) {
  const auto expect = [&](const at::Tensor& images, const std::vector<double>& losses,
                          const std::vector<double>& sums) {
    expect_values(loss(images), losses, 2e-5);
    expect_values(images.flatten(1).sum(1), sums, 2e-5);
  };
  expect(moved(30, 0, 0), {1.817957, 1.805154}, {81.174294, 81.21627});
  expect(moved(0, 3, 0), {2.132551, 2.143795}, {64.492439, 64.571091});
  expect(moved(0, 0, 1), {2.161649, 2.197499}, {85.394943, 85.462929});
  EXPECT_NEAR(moved(0, 0, 1)[0][0][0][0].item<double>(), .877302, 1e-5);
  expect(moved(15, 1.5, -3), {1.916653, 1.899421}, {});
}

TEST_F(SpatialGolden, TheGridFoolsWhatItFoolsInTheReference) {
  const auto found = spatial_grid(model, x, y, {.unit = ShiftUnit::foolbox});
  EXPECT_EQ(found.cells, 125);
  EXPECT_TRUE(at::equal(found.cell, at::zeros({2}, at::kLong)));
  EXPECT_TRUE(at::equal(model(found.x_adv).argmax(1), at::full({2}, 7, at::kLong)));
  expect_values(found.rotation, {-30, -30}, 1e-12);
  expect_values(found.dx, {-3, -3}, 1e-12);
  expect_values(found.dy, {-3, -3}, 1e-12);
  EXPECT_TRUE(at::equal(found.failing, at::tensor({81, 86}, at::kLong))) << found.failing;
  expect_values(found.worst_loss, {2.616503, 2.606597}, 2e-5);
  EXPECT_EQ(found.passes.forwards, 2 * (1 + 125));
  EXPECT_EQ(found.passes.backwards, 0);
}

TEST(Warp, WholeShiftsMovePixelsAsTheyAre) {
  const auto x = images(3, {2, 6, 5});
  const auto all = [](double value) { return at::full({3}, value, at::kDouble); };
  EXPECT_LT((warped(x, all(0), all(0), all(0)) - x).abs().max().item<double>(), 1e-6);
  const auto left = warped(x, all(0), all(2), all(0));
  EXPECT_LT((left.narrow(3, 0, 3) - x.narrow(3, 2, 3)).abs().max().item<double>(), 1e-5);
  EXPECT_LT(left.narrow(3, 3, 2).abs().max().item<double>(), 1e-5);
  const auto down = warped(x, all(0), all(0), all(-1));
  EXPECT_LT((down.narrow(2, 1, 5) - x.narrow(2, 0, 5)).abs().max().item<double>(), 1e-5);
  const auto mirrored = warped(x, all(0), all(1), all(0), Padding::reflect);
  EXPECT_LT((mirrored.select(3, 4) - x.select(3, 3)).abs().max().item<double>(), 1e-5);
  const auto half_turn = warped(x, all(180), all(0), all(0));
  EXPECT_LT((half_turn - x.flip({2, 3})).abs().max().item<double>(), 1e-5);
}

TEST(Warp, EachImageHasItsOwnMove) {
  const auto x = images(2, {1, 4, 4});
  const auto moved = warped(x, at::tensor({0.0, 90.0}), at::zeros({2}), at::zeros({2}));
  EXPECT_LT((moved[0] - x[0]).abs().max().item<double>(), 1e-6);
  EXPECT_LT((moved[1] - at::rot90(x[1], 1, {1, 2})).abs().max().item<double>(), 1e-5);
}

TEST(SpatialGrid, FindsWhatTryingCellByCellFinds) {
  const auto model = curved({1, 6, 6});
  const auto x = images(10, {1, 6, 6});
  const auto y = model(x).argmax(1);
  const SpatialGridOptions options{
      .max_rotation = 40, .max_shift = 2, .rotations = 3, .shifts = 3, .padding = Padding::reflect};
  const auto found = spatial_grid(model, x, y, options);
  auto failing = at::zeros({10}, at::kLong), first = at::full({10}, -1, at::kLong);
  std::int64_t cell = 0;
  for (const double rotation : {-40, 0, 40})
    for (const double dx : {-2, 0, 2})
      for (const double dy : {-2, 0, 2}) {
        const auto all = [](double value) { return at::full({10}, value, at::kDouble); };
        const auto wrong =
            model(warped(x, all(rotation), all(dx), all(dy), Padding::reflect)).argmax(1) != y;
        failing += wrong.to(at::kLong);
        first = at::where(wrong & (first < 0), cell++, first);
      }
  EXPECT_EQ(found.cells, cell);
  EXPECT_TRUE(at::equal(found.failing, failing));
  EXPECT_TRUE(at::equal(found.cell, first));
  EXPECT_TRUE(at::equal(found.success, model(found.x_adv).argmax(1) != y));
  const auto kept = found.success.logical_not();
  EXPECT_TRUE(at::equal(found.x_adv.index({kept}), x.index({kept})));
  EXPECT_GT(found.success.sum().item<std::int64_t>(), 0);
}

TEST(SpatialGrid, DrawnCellsAreEachSamplesOwnAndIndependentOfTheBatch) {
  const auto model = curved({1, 6, 6});
  const auto x = images(6, {1, 6, 6});
  const auto y = model(x).argmax(1);
  const SpatialGridOptions options{.max_rotation = 20, .max_shift = 1, .draws = 10};
  const auto found = spatial_grid(model, x, y, options, {.random = Random(3, "spatial")});
  EXPECT_EQ(found.cells, 10);
  EXPECT_LE(found.worst_rotation.abs().max().item<double>(), 20);
  EXPECT_LE(found.worst_dx.abs().max().item<double>(), 1);
  EXPECT_FALSE(at::equal(found.worst_rotation[0], found.worst_rotation[1]));
  const auto one = spatial_grid(model, x.narrow(0, 4, 1), y.narrow(0, 4, 1), options,
                                {.random = Random(3, "spatial")});
  EXPECT_TRUE(at::equal(one.worst_rotation, found.worst_rotation.narrow(0, 4, 1)));
  EXPECT_TRUE(at::equal(one.failing, found.failing.narrow(0, 4, 1)));
}

TEST(SpatialGrid, AnImageThatIsWrongAsItIsIsASuccessAndComesBackAsItIs) {
  const auto model = curved({1, 6, 6});
  const auto x = images(8, {1, 6, 6});
  const auto y = (model(x).argmax(1) + 1) % 4;
  // No move at all: every cell is x but for the rounding of the interpolation.
  const SpatialGridOptions still{.rotations = 1, .shifts = 1};
  for (const auto& options : {still, SpatialGridOptions{.rotations = 2, .shifts = 2}}) {
    const auto found = spatial_grid(model, x, y, options);
    EXPECT_TRUE(found.success.all().item<bool>());
    EXPECT_TRUE(same_bits(found.x_adv, x));
    EXPECT_TRUE(at::equal(found.cell, at::full({8}, -1, at::kLong)));
    EXPECT_EQ(found.passes.forwards, 8 * (found.cells + 1));
    EXPECT_GT(found.failing.sum().item<std::int64_t>(), 0) << "cells are tried all the same";
  }
}

TEST(SpatialGrid, UnfitArgumentsAreRefusedBeforeTheFirstPass) {
  const auto vectors = curved({12});
  EXPECT_NE(message_of([&] {
              spatial_grid(vectors, images(2, {12}), labels(2, 4));
            }).find("[spatial-grid]"),
            std::string::npos);
  const auto thin = curved({1, 1, 12});
  EXPECT_NE(message_of([&] {
              spatial_grid(thin, images(2, {1, 1, 12}), labels(2, 4));
            }).find("at least 2 x 2 pixels"),
            std::string::npos);
  const auto model = curved({1, 6, 6});
  EXPECT_NE(message_of([&] {
              spatial_grid(model, images(2, {1, 6, 6}), labels(2, 4), {.rotations = 0});
            }).find("rotations"),
            std::string::npos);
}

}  // namespace
}  // namespace namid::attacks
