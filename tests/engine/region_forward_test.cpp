// SPDX-License-Identifier: Apache-2.0
// Forwards that compute what a rectangle reaches give the bits of whole forwards.
#include "namid/engine/region_forward.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "engine/models.h"
#include "namid/engine/compile.h"

namespace namid::engine {
namespace {

using models::Interval;
using models::Rectangle;

/// Walks of a search: rectangles of a few sizes anywhere, the rim included.
Rectangle rectangle_of(int round, std::int64_t height, std::int64_t width) {
  const std::int64_t side = std::array{3, 1, 5, 9, 14}[static_cast<std::size_t>(round / 6 % 5)];
  const auto place = [&](std::int64_t size, std::int64_t length, int by) {
    const auto room = size - std::min(length, size);
    const auto first = round % 6 == 5 ? room : (by * round) % (room + 1);
    return Interval{first, first + std::min(length, size)};
  };
  return {place(height, side, 11), place(width, side + round / 12, 7)};
}

/// x, other values inside the rectangle.
at::Tensor changed_in(const at::Tensor& x, const Rectangle& where, int round) {
  auto y = x.clone();
  auto part = y.slice(2, where.rows.first, where.rows.last)
                  .slice(3, where.columns.first, where.columns.last);
  part.copy_((part * 3.7 + 0.1 * round).frac());
  return y;
}

class RegionForward : public ::testing::TestWithParam<NetworkCase> {};

TEST_P(RegionForward, GivesTheBitsOfWholeForwardsAlongASearch) {
  const auto& wanted = GetParam();
  const auto model =
      compile(unlike_fresh({.model = wanted.model, .width = wanted.width, .mean = {}, .std = {}},
                           wanted.shape),
              {.kernel = wanted.kernel});
  const auto frozen = model.frozen_eval();
  const auto regions = model.region_forward(wanted.rows);
  ASSERT_TRUE(regions);
  auto best = images(wanted.rows, wanted.shape);
  regions->keep(best);
  for (int round = 0; round < 60; ++round) {
    const auto where = rectangle_of(round, wanted.shape[1], wanted.shape[2]);
    const auto x = changed_in(best, where, round);
    ASSERT_TRUE(at::equal(regions->logits(x, where), model(x))) << "round " << round;
    if (round % 4 == 3) continue;  // nothing is said: all stay
    const auto rows = (at::arange(wanted.rows) * 5 + round) % 3 == 0;
    regions->accept(rows);
    best = at::where(rows.view({-1, 1, 1, 1}), x, best);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, RegionForward,
    ::testing::Values(NetworkCase{"resnet18", 16}, NetworkCase{"resnet18", 16, {3, 40, 24}},
                      NetworkCase{"resnet18", 16, {3, 27, 19}},
                      NetworkCase{"resnet18", 16, {3, 32, 32}, Kernel::winograd, 1},
                      NetworkCase{"small_cnn", 0}, NetworkCase{"small_cnn", 16, {1, 28, 28}},
                      NetworkCase{"vgg11", 16}, NetworkCase{"resnet50", 16, {3, 16, 16}},
                      NetworkCase{"preactresnet18", 16}, NetworkCase{"wideresnet-10-2", 16}),
    [](const auto& info) {
      auto name = info.param.model + "_" + std::to_string(info.index);
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST(RegionForwardOf, KnownImagesCanBeReplacedAtAnyTime) {
  const auto model = compile(unlike_fresh({.model = "resnet18", .width = 16}));
  const auto frozen = model.frozen_eval();
  const auto regions = model.region_forward(2);
  const Rectangle where{{8, 13}, {27, 32}};
  for (const double phase : {0.0, 0.31}) {
    const auto best = images(2, {3, 32, 32}, phase);
    regions->keep(best);
    const auto x = changed_in(best, where, 1);
    EXPECT_TRUE(at::equal(regions->logits(x, where), model(x)));
  }
}

TEST(RegionForwardOf, ThreadsChangeNoBit) {
  const auto model = compile(unlike_fresh({.model = "resnet18", .width = 16}));
  const auto frozen = model.frozen_eval();
  const auto best = images(5, {3, 32, 32});
  const Rectangle where{{8, 13}, {27, 32}};
  const auto x = changed_in(best, where, 1);
  const auto threads = at::get_num_threads();
  std::vector<at::Tensor> logits;
  for (const int count : {1, 2, 3}) {
    at::set_num_threads(count);
    const auto regions = model.region_forward(5);
    regions->keep(best);
    logits.push_back(regions->logits(x, where));
  }
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(logits[0], logits[1]));
  EXPECT_TRUE(at::equal(logits[0], logits[2]));
}

TEST(RegionForwardOf, KeepsTheWeightsThatTheModelHad) {
  const auto model = unlike_fresh({.model = "resnet18", .width = 16});
  const auto compiled = compile(model);
  const auto frozen = compiled.frozen_eval();
  const auto regions = compiled.region_forward(2);
  const auto best = images(2, {3, 32, 32});
  const auto x = changed_in(best, {{0, 3}, {0, 3}}, 1);
  const auto before = compiled(x);
  regions->keep(best);
  {
    const at::NoGradGuard no_grad;
    for (auto& parameter : model.parameters()) parameter.mul_(1.1);
  }
  EXPECT_FALSE(at::equal(compiled(x), before));
  EXPECT_TRUE(at::equal(regions->logits(x, {{0, 3}, {0, 3}}), before));
}

TEST(RegionForwardOf, NothingWhereForwardsAreWholeAnyway) {
  const auto model = unlike_fresh({.model = "resnet18", .width = 16});
  const auto none = [](const models::Classifier& of, std::int64_t rows = 2) {
    const auto frozen = of.frozen_eval();
    return of.region_forward(rows) == nullptr;
  };
  EXPECT_TRUE(none(model)) << "not compiled";
  EXPECT_TRUE(none(compile(model, {.kernel = Kernel::direct})));
  EXPECT_TRUE(none(compile(unlike_fresh({.model = "mlp", .width = 16}))));
  EXPECT_FALSE(none(compile(model)));
  EXPECT_TRUE(none(compile(model), 20'000)) << "memory";
  const Network network(make_plan(models::describe(model)), Kernel::automatic);
  EXPECT_GT(region_bytes(network, 20'000), kMostRegionBytes);
  EXPECT_LT(region_bytes(network, 256), kMostRegionBytes);
  EXPECT_EQ(compile(model).region_forward(2), nullptr) << "parameters need gradients";
  compile(model).train();
  EXPECT_FALSE(none(compile(model))) << "frozen: in eval mode";
  const at::NoGradGuard no_grad;
  EXPECT_EQ(compile(model).region_forward(2), nullptr) << "train mode";
}

}  // namespace
}  // namespace namid::engine
