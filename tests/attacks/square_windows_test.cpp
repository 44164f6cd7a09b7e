// SPDX-License-Identifier: Apache-2.0
// One window for all rows, and what a compiled model makes of it: the same attack, bit for bit.
#include <ATen/CPUGeneratorImpl.h>

#include "attacks/toy.h"
#include "engine/models.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/square.h"
#include "namid/attacks/square_sampler.h"
#include "namid/attacks/windowed_model.h"
#include "namid/engine/compile.h"
#include "namid/models/region_forward.h"

namespace namid::attacks {
namespace {

SampleIds ids_from(std::uint64_t first, std::int64_t count) {
  SampleIds ids;
  for (std::int64_t i = 0; i < count; ++i) ids.push_back(first + static_cast<std::uint64_t>(i));
  return ids;
}

SquareSampler sharing(const at::Tensor& x, const SampleIds& ids, const Budget& budget,
                      const Context& context, std::uint32_t restart = 0) {
  return {x, ids, restart, {.budget = budget, .windows = Windows::shared}, context};
}

/// (N, H, W): where a proposal differs from the best points.
at::Tensor differing(const at::Tensor& x_new, const at::Tensor& best) {
  return (x_new - best).abs().gt(1e-6).any(1);
}

TEST(SquareWindows, AreThoseOfSeedRestartAndIterationForAnySamplesInAnyOrder) {
  const auto x = at::full({4, 2, 9, 14}, 0.5F);
  const Context context{.random = Random(3, "square")}, other{.random = Random(4, "square")};
  const auto changed = [&](const SampleIds& ids, const Context& by, std::uint32_t restart) {
    std::vector<at::Tensor> all;
    const auto rows = x.slice(0, 0, static_cast<std::int64_t>(ids.size())).contiguous();
    const auto sampler = sharing(rows, ids, {Norm::linf, 0.3}, by, restart);
    for (int iteration = 200; iteration < 220; ++iteration) {
      const auto where = differing(sampler.proposal(rows, iteration), rows);
      EXPECT_TRUE(at::equal(where, where.slice(0, 0, 1).expand_as(where))) << iteration;
      all.push_back(where[0]);
    }
    return at::stack(all);
  };
  const auto first = changed({0, 1, 2, 3}, context, 0);
  EXPECT_TRUE(at::equal(changed({9, 2}, context, 0), first)) << "other samples";
  EXPECT_FALSE(at::equal(changed({0, 1, 2, 3}, other, 0), first)) << "other seed";
  EXPECT_FALSE(at::equal(changed({0, 1, 2, 3}, context, 1), first)) << "other restart";
  EXPECT_GT(std::get<0>(at::unique_dim(first.flatten(1), 0)).size(0), 10) << "other iterations";
}

TEST(SquareWindows, TurnsAreSharedAndSignsAreNot) {
  const auto x = at::full({12, 3, 12, 12}, 0.5F);
  const Context context{.random = Random(1, "square")};
  for (const auto norm : {Norm::l2, Norm::l1}) {
    const auto sampler = sharing(x, ids_from(0, 12), {norm, 0.3}, context);
    bool other_signs = false;
    for (int iteration = 1001; iteration < 1021; ++iteration) {
      const auto delta = sampler.proposal(x, iteration) - x;  // from nothing: ±η in window 1
      EXPECT_TRUE(
          at::allclose(delta.abs(), delta.abs().slice(0, 0, 1).expand_as(delta), 1e-4, 1e-6))
          << to_string(norm) << " " << iteration;
      const auto along = (delta * delta.slice(0, 0, 1).sign()).sum({2, 3});
      other_signs |= (along < 0).any().item<bool>();
    }
    EXPECT_TRUE(other_signs) << to_string(norm);
  }
}

TEST(SquareWindows, ReachTheLastRowAndColumn) {
  const auto x = at::full({1, 1, 12, 9}, 0.5F);
  const Context context{.random = Random(0, "square")};
  for (const auto norm : kNorms) {
    // Large in L1: projection onto a small ball would leave the tiles' peaks alone.
    const auto sampler = sharing(x, {0}, {norm, norm == Norm::l1 ? 30 : 0.3}, context);
    auto hits = at::zeros({12, 9}, at::kLong);
    for (int iteration = 1001; iteration < 1401; ++iteration)
      hits += differing(sampler.proposal(x, iteration), x)[0];
    EXPECT_GT(hits.min().item<std::int64_t>(), 0) << to_string(norm);
  }
}

class SquareWindowsOf : public ::testing::TestWithParam<Compat> {};

TEST_P(SquareWindowsOf, TheSamplerNamesTheWindowThatAProposalStaysIn) {
  const auto x = images(5, {3, 11, 17}, 0.4);
  const Context context{.random = Random(2, "square")};
  const SquareSampler sampler(x, ids_from(7, 5), 0,
                              {.budget = {Norm::linf, 0.3},
                               .rescale_schedule = GetParam() == Compat::none,
                               .windows = Windows::shared,
                               .compat = GetParam()},
                              context);
  ASSERT_TRUE(sampler.shares_window());
  const auto best = sampler.start();
  for (const int iteration : {0, 11, 60, 300, 600, 1500, 4500}) {
    const auto window = sampler.shared_window(iteration);
    auto outside = (sampler.proposal(best, iteration) != best).any(1);
    EXPECT_TRUE(outside.any().item<bool>()) << iteration;
    outside.slice(1, window.rows.first, window.rows.last)
        .slice(2, window.columns.first, window.columns.last)
        .zero_();
    EXPECT_FALSE(outside.any().item<bool>()) << iteration;
    EXPECT_GE(window.rows.first, 0);
    EXPECT_LE(window.rows.last, 11);
    EXPECT_LE(window.columns.last, 17);
  }
}

INSTANTIATE_TEST_SUITE_P(Compats, SquareWindowsOf,
                         ::testing::Values(Compat::none, Compat::autoattack),
                         [](const auto& info) { return std::string(to_string(info.param)); });

TEST(SquareWindows, LieInOneRectangleInLinfAlone) {
  const auto x = images(5, {3, 11, 17}, 0.4);
  const Context context{.random = Random(2, "square")};
  for (const auto norm : {Norm::l2, Norm::l1})
    EXPECT_FALSE(sharing(x, ids_from(7, 5), {norm, 0.3}, context).shares_window());
  const SquareSampler own(x, ids_from(7, 5), 0, {.budget = {Norm::linf, 0.3}}, context);
  EXPECT_FALSE(own.shares_window());
  Context in_order{.random = Random(2, "square")};
  in_order.sequential = at::detail::createCPUGenerator(1);
  EXPECT_FALSE(sharing(x, ids_from(7, 5), {Norm::linf, 0.3}, in_order).shares_window())
      << "to name it would draw";
}

/// The same model, of which nothing but whole forwards can be had.
Classifier forwards_alone(const Classifier& model, std::int64_t* forwards = nullptr) {
  auto info = model.info();
  info.mean = info.std = {};
  return Classifier(
      [model, forwards](const at::Tensor& x) {
        if (forwards) ++*forwards;
        return model(x);
      },
      info);
}

struct WindowsCase {
  std::string model;
  Shape shape;
  double epsilon;
};

class SquareByRegions : public ::testing::TestWithParam<WindowsCase> {};

TEST_P(SquareByRegions, IsTheAttackByWholeForwardsBitForBit) {
  const auto& [name, shape, epsilon] = GetParam();
  const auto model = engine::compile(engine::unlike_fresh({.model = name, .width = 16}, shape));
  const auto frozen = model.frozen_eval();
  ASSERT_TRUE(model.region_forward(6)) << "else nothing is tested";
  const auto x = engine::images(6, shape);
  auto y = model(x).argmax(1);
  y[4] = (y[4] + 1) % 10;  // leaves after the first query
  for (const bool compact : {true, false}) {
    for (const auto windows : {Windows::shared, Windows::per_sample}) {
      const SquareOptions options{
          .budget = {Norm::linf, epsilon}, .queries = 120, .restarts = 2, .windows = windows};
      const Context context{.random = Random(5, "square"), .compact = compact};
      const auto ours = square(model, x, y, options, context);
      const auto whole = square(forwards_alone(model), x, y, options, context);
      EXPECT_TRUE(same_bits(ours.x_adv, whole.x_adv));
      EXPECT_TRUE(same_bits(ours.loss, whole.loss));
      EXPECT_TRUE(at::equal(ours.step, whole.step));
      EXPECT_TRUE(at::equal(ours.round, whole.round));
      EXPECT_TRUE(at::equal(ours.success, whole.success));
      EXPECT_TRUE(at::equal(ours.forwards, whole.forwards));
      EXPECT_EQ(ours.passes.forwards, whole.passes.forwards);
      EXPECT_FALSE(ours.success.all().item<bool>()) << "some are attacked to the end";
      EXPECT_GT((ours.step > 1).sum().item<std::int64_t>(), 1) << "and some proposals taken";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, SquareByRegions,
                         ::testing::Values(WindowsCase{"small_cnn", {3, 32, 32}, 0.01},
                                           WindowsCase{"resnet18", {3, 32, 32}, 0.002},
                                           WindowsCase{"resnet18", {3, 24, 40}, 0.002}),
                         [](const auto& info) {
                           return info.param.model + "_" + std::to_string(info.index);
                         });

TEST(WindowedModel, AsksForWholeForwardsWhereNothingElseIsToBeHad) {
  const auto model = curved({1, 6, 6});
  const auto x = images(2, {1, 6, 6});
  WindowedModel seen(model, 2, true);
  seen.expect(x, {{0, 2}, {0, 2}});
  EXPECT_TRUE(same_bits(seen.classifier()(x + 0.01), model(x + 0.01)));
  seen.accept(at::ones({2}, at::kBool));
}

TEST(WindowedModel, ComputesInPartOnlyWhatWasAnnounced) {
  const auto model = engine::compile(engine::unlike_fresh(
      {.model = "resnet18", .width = 16, .mean = {0.4, 0.5, 0.6}, .std = {0.2, 0.3, 0.2}}));
  const auto frozen = model.frozen_eval();
  const auto x = engine::images(2, {3, 32, 32});
  WindowedModel seen(model, 2, true);
  auto near = x.clone();
  near.slice(2, 3, 6).slice(3, 3, 6).mul_(0.5);
  seen.expect(x, {{3, 6}, {3, 6}});
  EXPECT_TRUE(same_bits(seen.classifier()(near), model(near)));
  // Not announced: other images altogether.
  EXPECT_TRUE(same_bits(seen.classifier()(1 - x), model(1 - x)));
  // What lies outside of the window is not looked at.
  seen.expect(x, {{3, 6}, {3, 6}});
  auto far = near.clone();
  far.slice(2, 20, 32).zero_();
  EXPECT_FALSE(same_bits(seen.classifier()(far), model(far)));
}

}  // namespace
}  // namespace namid::attacks
