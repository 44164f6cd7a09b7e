// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/spatial_flow.h"

#include "attacks/contract.h"
#include "namid/attacks/lbfgs.h"

namespace namid::attacks {
namespace {

/// logits = (0, Σ w x − level), each row summed on its own: the same bits in a batch of any size.
Classifier two_class_sum(const at::Tensor& w, double level, const Shape& shape) {
  return Classifier(
      [=](const at::Tensor& x) {
        const auto z = (x.flatten(1) * w.flatten()).sum(1) - level;
        return at::stack({at::zeros_like(z), z}, 1);
      },
      {.name = "sum", .num_classes = 2, .input_shape = shape});
}

/// A smooth spot in the middle third of a dark image.
at::Tensor spots(std::int64_t count, std::int64_t rows, std::int64_t columns) {
  const auto axis = [](std::int64_t size) {
    return (at::arange(size, at::kDouble) - static_cast<double>(size - 1) / 2) /
           static_cast<double>(size) * 5;
  };
  const auto spot = (-axis(rows).square().view({-1, 1}) - axis(columns).square()).exp();
  const auto brightness = at::linspace(0.6, 1, count, at::kDouble).view({-1, 1, 1, 1});
  return (spot * brightness).to(at::kFloat);
}

/// Right of the middle counts for class 1, left against it; the spot must move.
at::Tensor left_and_right(std::int64_t rows, std::int64_t columns) {
  return at::linspace(-1, 1, columns).view({1, 1, columns}).expand({1, rows, columns}).contiguous();
}

RowValues rosenbrock(const at::Tensor& rows) {
  const auto a = rows.select(1, 0), b = rows.select(1, 1), gap = b - a * a;
  return {(1 - a).square() + 100 * gap.square(),
          at::stack({-2 * (1 - a) - 400 * a * gap, 200 * gap}, 1)};
}

TEST(Lbfgs, EndsInTheValleyOfRosenbrocksFunctionFromAnywhere) {
  const auto start = doubles({-1.2, 1, 0, 0, 2, 2, -1, -1, 1, 1}).view({5, 2});
  const auto end = minimise_rows(rosenbrock, start, {.steps = 200, .tolerance = 1e-9});
  EXPECT_LT((end - 1).abs().max().item<double>(), 1e-7) << end;
}

TEST(Lbfgs, NoRowHeedsAnother) {
  const auto start = doubles({-1.2, 1, 0.3, -2, 2, 2}).view({3, 2});
  for (const int steps : {1, 3, 10}) {
    const auto together = minimise_rows(rosenbrock, start, {.steps = steps});
    for (std::int64_t i = 0; i < 3; ++i)
      EXPECT_TRUE(at::equal(minimise_rows(rosenbrock, start.narrow(0, i, 1), {.steps = steps})[0],
                            together[i]));
  }
}

TEST(Lbfgs, PassesOverKinks) {
  // |a − 3| + 10 |b + 1| + (a − 3)²: no gradient vanishes near the minimum.
  const RowObjective kinked = [](const at::Tensor& rows) {
    const auto a = rows.select(1, 0) - 3, b = rows.select(1, 1) + 1;
    return RowValues{a.abs() + 10 * b.abs() + a.square(),
                     at::stack({a.sign() + 2 * a, 10 * b.sign()}, 1)};
  };
  const auto start = doubles({0, 0, 10, -7}).view({2, 2});
  const auto end = minimise_rows(kinked, start, {.steps = 100});
  EXPECT_LT(kinked(end).value.max().item<double>(), 1e-3);
  EXPECT_TRUE((kinked(end).value <= kinked(start).value).all().item<bool>());
}

TEST(SpatialFlow, NoFlowIsTheImageAndWholePixelsMoveAsTheyAre) {
  for (const auto& shape : {Shape{2, 6, 5}, Shape{1, 3, 8}, Shape{1, 1, 4}}) {
    const auto x = images(3, shape);
    const auto flow = at::zeros({3, x.size(2), x.size(3), 2}, at::kDouble);
    EXPECT_LT((flowed(x, flow) - x).abs().max().item<double>(), 1e-5);
    auto right = flow.clone();
    const auto columns = x.size(3);
    right.select(3, 0).fill_(2.0 / static_cast<double>(columns));
    EXPECT_LT((flowed(x, right).narrow(3, 0, columns - 1) - x.narrow(3, 1, columns - 1))
                  .abs()
                  .max()
                  .item<double>(),
              1e-5);
  }
}

TEST(SpatialFlow, AShiftThatFoolsIsFound) {
  const auto x = spots(1, 9, 15);
  const auto model = two_class_sum(left_and_right(9, 15), 1, {1, 9, 15});
  const auto y = at::zeros({1}, at::kLong);
  const auto found = spatial_flow(model, x, y);
  ASSERT_TRUE(found.success.item<bool>());
  EXPECT_EQ(model(found.x_adv).argmax(1).item<std::int64_t>(), 1);
  const auto across = found.flow.select(3, 0), down = found.flow.select(3, 1);
  EXPECT_LT(across.mean().item<double>(), 0) << "the content moves right";
  EXPECT_LT(down.abs().max().item<double>(), across.abs().max().item<double>());
}

// Moving the whole spot costs nothing: the objective can fall to 0 from 1 + the spot's own side.
TEST(SpatialFlow, TheObjectiveFallsTowardsAUniformShift) {
  const auto x = spots(1, 9, 15);
  const auto model = two_class_sum(left_and_right(9, 15), 1, {1, 9, 15});
  std::vector<double> values;
  spatial_flow(model, x, at::zeros({1}, at::kLong), {.smoothness = 0.3},
               {.observe = [&](int, double value) { values.push_back(value); }});
  EXPECT_NEAR(values.front(), 1, 1e-4);
  EXPECT_LT(*std::min_element(values.begin(), values.end()), 0.2);
}

TEST(SpatialFlow, FiguresAreThoseOfTheReturnedFlow) {
  const auto x = spots(3, 6, 8);
  const auto model = two_class_sum(left_and_right(6, 8), 0.4, {1, 6, 8});
  const auto y = at::zeros({3}, at::kLong);
  const auto found = spatial_flow(model, x, y, {.steps = 30, .smoothness = 0.05});
  EXPECT_GT(found.success.sum().item<std::int64_t>(), 0);
  EXPECT_TRUE(at::equal(found.success, model(found.x_adv).argmax(1) != y));
  const auto grid = found.flow.to(at::kDouble) / doubles({4, 3});
  const auto moved = found.success.view({-1, 1, 1, 1});
  EXPECT_LT((at::where(moved, flowed(x, grid), x) - found.x_adv).abs().max().item<double>(), 1e-5);
  EXPECT_TRUE(at::allclose(found.displacement, grid.square().flatten(1).sum(1), 1e-5));
  const auto norm = [&](std::int64_t axis) {
    return grid.diff(1, axis).square().flatten(1).sum(1).sqrt();
  };
  EXPECT_TRUE(at::allclose(found.roughness, norm(1) + norm(2), 1e-5, 1e-8));
  EXPECT_GE(found.x_adv.min().item<float>(), 0);
  EXPECT_LE(found.x_adv.max().item<float>(), 1);
}

TEST(SpatialFlow, AnImageThatIsNeverFooledComesBackCleanBitForBit) {
  const auto x = spots(2, 5, 7);
  const auto y = at::zeros({2}, at::kLong);
  const auto model = two_class_sum(left_and_right(5, 7), 1e3, {1, 5, 7});
  const auto found = spatial_flow(model, x, y, {.steps = 5, .searches = 2});
  EXPECT_FALSE(found.success.any().item<bool>());
  EXPECT_TRUE(same_bits(found.x_adv, x)) << "advertorch gives a black image";
  EXPECT_EQ(found.flow.abs().max().item<double>(), 0);
  EXPECT_EQ(found.displacement.max().item<double>(), 0);
}

TEST(SpatialFlow, AMisclassifiedImageStaysAsItIs) {
  const auto x = spots(2, 5, 7);
  const auto model = two_class_sum(left_and_right(5, 7), 1, {1, 5, 7});
  const auto found = spatial_flow(model, x, at::ones({2}, at::kLong), {.steps = 3});
  EXPECT_TRUE(found.success.all().item<bool>());
  EXPECT_TRUE(same_bits(found.x_adv, x));
  EXPECT_EQ(found.flow.abs().max().item<double>(), 0);
}

TEST(SpatialFlow, NoResultHangsOnTheNeighbours) {
  const auto x = spots(4, 6, 8);
  const auto model = two_class_sum(left_and_right(6, 8), 0.5, {1, 6, 8});
  const auto y = at::tensor({0, 1, 0, 0}, at::kLong);
  const SpatialFlowOptions options{.steps = 20, .searches = 2, .smoothness = 0.1};
  const auto together = spatial_flow(model, x, y, options);
  for (std::int64_t i = 0; i < 4; ++i) {
    const auto alone = spatial_flow(model, x.narrow(0, i, 1), y.narrow(0, i, 1), options);
    EXPECT_TRUE(at::allclose(alone.x_adv[0], together.x_adv[i], 0, 1e-5)) << i;
    EXPECT_EQ(alone.success[0].item<bool>(), together.success[i].item<bool>());
  }
}

TEST(SpatialFlow, TargetedEndsInTheTarget) {
  const auto model = curved({2, 6, 5});
  const auto x = images(6, {2, 6, 5});
  const auto target = (model(x).argmax(1) + 1) % 4;
  const auto found = spatial_flow(model, x, target, {.smoothness = 0.01, .targeted = true});
  EXPECT_TRUE(at::equal(found.success, model(found.x_adv).argmax(1) == target));
  EXPECT_GT(found.success.sum().item<std::int64_t>(), 0);
}

TEST(SpatialFlow, CountsPassesAndRefusesWhatIsNoImage) {
  const auto x = spots(2, 5, 7);
  const auto model = two_class_sum(left_and_right(5, 7), 1, {1, 5, 7});
  Passes passes;
  int evaluations = 0;
  const auto found =
      spatial_flow(model, x, at::zeros({2}, at::kLong), {.steps = 4},
                   {.passes = &passes, .observe = [&](int, double) { ++evaluations; }});
  EXPECT_EQ(found.passes.forwards, 2 * (evaluations + 1));
  EXPECT_EQ(found.passes.backwards, 2 * evaluations);
  EXPECT_EQ(passes.forwards, found.passes.forwards);
  EXPECT_NE(message_of([&] {
              spatial_flow(curved({12}), images(2, {12}), labels(2, 4));
            }).find("[spatial-flow] x: expected images"),
            std::string::npos);
  EXPECT_EQ(message_of([&] { spatial_flow(model, x, labels(2, 2), {.steps = 0}); }),
            "[spatial-flow] steps: expected ≥ 1, got 0");
}

}  // namespace
}  // namespace namid::attacks
