// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/mma.h"

#include <gtest/gtest.h>

#include "namid/attacks/norms.h"
#include "namid/attacks/start.h"
#include "namid/models/registry.h"
#include "support/waves.h"

namespace namid::defenses {
namespace {

using attacks::Norm;
using attacks::Passes;
using testing::deviation;
using testing::from_index;
using testing::value;
using testing::wave;

/// The toy linear model of the attacks' golden values, its logits times 20.
struct Toy {
  at::Tensor weight = (0.2 * wave({10, 192}, 0.37)).to(at::kFloat);
  at::Tensor x = from_index({2, 3, 8, 8}, [](double n) {
                   return 0.5 + 0.5 * std::sin(0.13 * n);
                 }).to(at::kFloat);
  Classifier model{
      [w = weight](const at::Tensor& images) { return 20 * images.flatten(1).matmul(w.t()); },
      {.name = "toy", .num_classes = 10, .input_shape = {3, 8, 8}}};
};

TEST(SoftLogitMargin, IsTheLogSumOfTheOthersMinusTheLabels) {
  const auto z = torch::tensor({{1., 2., -1.}}, at::kDouble);
  EXPECT_NEAR(value(soft_logit_margin(z, torch::tensor({1}))),
              std::log(std::exp(1) + std::exp(-1)) - 2, 1e-15);
}

TEST(GoldenMma, Bisection) {
  const Toy toy;
  const auto y = toy.model(toy.x).argmax(1);
  const auto slm = [&](const at::Tensor& x) { return soft_logit_margin(toy.model(x), y); };
  EXPECT_LT(deviation(slm(toy.x), torch::tensor({-.870897, -.778829}, at::kDouble)), 2e-4);
  const auto leaf = toy.x.clone().requires_grad_();
  const auto u = torch::autograd::grad({slm(leaf).sum()}, {leaf})[0].sign();
  const auto first = at::full({2}, .003f);
  EXPECT_LT(deviation(slm((toy.x + .003 * u).clamp(0, 1)),
                      torch::tensor({.145528, -.244581}, at::kDouble)),
            2e-4);
  const auto e = bisect_margins(toy.model, toy.x, y, u, first, {.e_max = .02, .bisections = 10},
                                {.random = Random(0, "test")});
  const double largest = deviation(e, torch::tensor({.002622, .004046}, at::kDouble));
  std::printf("MMA bisection: deviation %.1e\n", largest);
  EXPECT_LT(largest, 1e-6);
}

/// A small network in train mode, a batch, and the attack's context.
struct SmallMma {
  Classifier model = models::create({.model = "small_cnn", .width = 4}, {3, 8, 8}, 10, /*seed=*/1);
  Batch batch{
      (0.5 + 0.5 * wave({8, 3, 8, 8}, 0.013)).to(at::kFloat), {}, {3, 1, 4, 15, 9, 2, 6, 5}};
  StepOptions step{{.budget = {.epsilon = 0.1}, .steps = 4}};
  Context context{.random = Random(1, "train/attack"), .epoch = 1};

  SmallMma() {
    batch.y = model(batch.x).argmax(1);
    batch.y[2] = (batch.y[2] + 1) % 10;  // one that is wrong
    // Logits far enough apart for margins below 0.
    const auto parameters = model.parameters();
    for (std::size_t i = parameters.size() - 2; i < parameters.size(); ++i)
      parameters[i].data().mul_(40);
  }
};

TEST(MarginSearch, StaysInTheBoxAndReachesTheBoundary) {
  for (const auto norm : {Norm::linf, Norm::l2}) {
    const SmallMma small;
    small.model.train(false);
    const auto y = small.model(small.batch.x).argmax(1);
    auto context = small.context;
    context.ids = small.batch.ids;
    Passes passes;
    context.passes = &passes;
    const MarginSearchOptions options{.norm = norm, .e_max = norm == Norm::l2 ? 5. : .5};
    const auto radii = at::full({8}, static_cast<float>(options.e_max / 2));
    const auto found = search_margins(small.model, small.batch.x, y, radii, options, context);
    EXPECT_EQ(passes.forwards, 8 * (10 + 10));
    EXPECT_EQ(passes.backwards, 8 * 10);
    EXPECT_GE(value(found.x_adv.min()), 0);
    EXPECT_LE(value(found.x_adv.max()), 1);
    const auto distance = attacks::perturbation_norms(found.x_adv, small.batch.x, norm);
    EXPECT_LE(value((distance - found.margins).max()), 1e-5) << "no farther than the margin";
    const auto inner = found.margins < 0.99 * options.e_max;
    ASSERT_GT(inner.sum().item<std::int64_t>(), 0);
    const auto margin = soft_logit_margin(small.model(found.x_adv), y);
    EXPECT_LT(value(margin.abs().masked_select(inner).max()), 0.5) << "near the boundary";
  }
}

TEST(MarginSearch, StartsWithTheDrawsOfPgd) {
  for (const auto norm : {Norm::linf, Norm::l2}) {
    const SmallMma small;
    std::vector<at::Tensor> seen;
    const Classifier watched(
        [&](const at::Tensor& x) {
          seen.push_back(x.detach().clone());
          return x.flatten(1).slice(1, 0, 10);
        },
        {.name = "watched", .num_classes = 10, .input_shape = {3, 8, 8}});
    auto context = small.context;
    context.ids = small.batch.ids;
    const attacks::Budget budget{norm, 0.2};
    search_margins(watched, small.batch.x, small.batch.y, at::full({8}, .2f), {.norm = norm},
                   context);
    const auto start = attacks::start_point(small.batch.x, attacks::Start::uniform, budget,
                                            context.random, context.ids, context.epoch);
    EXPECT_LT(deviation(seen.at(0), start), 1e-6);
  }
}

TEST(Mma, IsItsLossAtTheBoundaryPoints) {
  const SmallMma small, other;
  MarginTable table;
  const auto result = mma(small.model, small.batch, small.step, {}, table, small.context);

  const auto natural = other.model(other.batch.x);
  const auto inside = (soft_logit_margin(natural.detach(), other.batch.y) < 0);
  ASSERT_GE(inside.sum().item<std::int64_t>(), 2);
  ASSERT_FALSE(inside[2].item<bool>());
  const auto rows = inside.nonzero().flatten();
  auto context = other.context;
  for (std::int64_t i = 0; i < rows.size(0); ++i)
    context.ids.push_back(other.batch.ids[static_cast<std::size_t>(rows[i].item<std::int64_t>())]);
  const double d_max = 1.5 * 0.1;
  const auto found = search_margins(
      other.model, other.batch.x.index_select(0, rows), other.batch.y.index_select(0, rows),
      at::full({rows.size(0)}, .005f), {.e_max = 1.05 * d_max, .steps = 4}, context);
  auto x_adv = other.batch.x.clone();
  x_adv.index_copy_(0, rows, found.x_adv);
  const auto margins = at::zeros({8}).index_copy_(0, rows, found.margins);
  const auto loss = mma_loss(natural, other.model(x_adv), other.batch.y, margins, d_max, 1.0 / 3);
  EXPECT_EQ(value(result.loss), value(loss));
  EXPECT_EQ(deviation(table.find(small.batch.ids), margins), 0);
  double shares = 0;
  for (int bin = 0; bin < 10; ++bin) shares += result.metrics.at(str("margin_bin_", bin));
  EXPECT_NEAR(shares, 1, 1e-12);
}

TEST(Mma, GoesOnFromTheMarginsOfTheLastEpoch) {
  const SmallMma small;
  MarginTable table, restored;
  mma(small.model, small.batch, small.step, {}, table, small.context);
  const auto kept = table.find(small.batch.ids);
  EXPECT_EQ(kept[2].item<float>(), 0) << "a wrong image starts again";
  EXPECT_GT(value(kept.max()), 0);
  restored.load(table.save());
  EXPECT_EQ(deviation(restored.find(small.batch.ids), kept), 0);
  const SmallMma a, b, c;
  MarginTable fresh;
  const auto second = [](const SmallMma& s, MarginTable& margins) {
    return value(mma(s.model, s.batch, s.step, {}, margins, s.context).loss);
  };
  const double from_table = second(a, table), from_restored = second(b, restored);
  EXPECT_EQ(from_table, from_restored);
  EXPECT_NE(from_table, second(c, fresh));
  EXPECT_THROW(restored.load({{"ids", at::zeros({2}, at::kLong)}}), DataError);
}

TEST(Mma, WithoutAnImageThatIsRightIsTheCleanLossTwice) {
  SmallMma small;
  small.batch.y = (small.batch.y + 5) % 10;
  MarginTable table;
  Passes passes;
  small.context.passes = &passes;
  const auto expected = at::cross_entropy_loss(small.model(small.batch.x), small.batch.y);
  const auto result = mma(small.model, small.batch, small.step, {}, table, small.context);
  ASSERT_EQ(result.metrics.at("margin_mean"), 0);
  EXPECT_NEAR(value(result.loss), value(expected), 1e-6 * value(expected));
  EXPECT_EQ(passes.forwards, 0);
}

TEST(Mma, RefusesOptionsThatDoNotFit) {
  const PgdOptions plain{.budget = {.epsilon = 0.1}};
  EXPECT_NO_THROW(check_mma({}, plain));
  EXPECT_THROW(check_mma({.clean_weight = 1.5}, plain), OptionError);
  EXPECT_THROW(check_mma({.d_max = 0.1, .e_min = 0.2}, plain), OptionError);
  EXPECT_THROW(check_mma({}, {.budget = {.norm = Norm::l1}}), OptionError);
  EXPECT_THROW(check_mma({}, {.budget = {.epsilon = 0}}), OptionError);
  EXPECT_THROW(check_mma({}, {.step_size = 0.1}), OptionError);
  EXPECT_THROW(check_mma({}, {.start = attacks::Start::none}), OptionError);
  EXPECT_THROW(check_mma({}, {.restarts = 2}), OptionError);
}

}  // namespace
}  // namespace namid::defenses
