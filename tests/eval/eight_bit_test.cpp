// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/eight_bit.h"

#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>

#include <cmath>

#include "eval/toy.h"

namespace namid::eval {
namespace {

using attacks::Budget;
using attacks::Norm;

at::Tensor as_values(const at::Tensor& pixels) {
  return pixels.to(at::kFloat) / 255;
}

/// Images of 8 bits and points around them in the ball, cut to the box: half of them on its edge.
struct Cloud {
  Cloud(const Budget& budget, std::uint64_t seed, std::int64_t n = 64) {
    at::manual_seed(seed);
    x = as_values(at::randint(0, 256, {n, 3, 4, 4}, at::kLong));
    auto noise = (at::rand({n, 48}) * 2 - 1).to(at::kDouble);
    if (budget.norm == Norm::linf) {
      noise = noise * budget.epsilon;
      noise.slice(0, 0, n / 2) = noise.slice(0, 0, n / 2).sign() * budget.epsilon;
    } else {
      const double p = budget.norm == Norm::l2 ? 2 : 1;
      const auto norms = noise.abs().pow(p).sum(1, true).pow(1 / p);
      auto radius = at::rand({n, 1}, at::kDouble);
      radius.slice(0, 0, n / 2).fill_(1);
      noise = noise / norms * radius * budget.epsilon;
    }
    x_adv = (x.to(at::kDouble) + noise.view(x.sizes())).clamp(0, 1).to(at::kFloat);
  }
  at::Tensor x, x_adv;
};

std::vector<Verdict> measured(const at::Tensor& x, const at::Tensor& pixels, const Budget& budget) {
  const models::Classifier any([](const at::Tensor& v) { return v.flatten(1).narrow(1, 0, 2); },
                               {.name = "any", .num_classes = 2, .input_shape = {3, 4, 4}});
  return verify(any, x, as_values(pixels), at::zeros({x.size(0)}, at::kLong), budget);
}

TEST(EightBit, IsAlwaysInsideBallAndBoxForPointsOfTheBall) {
  for (const auto& budget :
       {Budget{Norm::linf, 8.0 / 255}, Budget{Norm::linf, 0.03}, Budget{Norm::linf, 1e-4},
        Budget{Norm::linf, 0}, Budget{Norm::l2, 0.5}, Budget{Norm::l2, 0.01}, Budget{Norm::l2, 0},
        Budget{Norm::l1, 12.0}, Budget{Norm::l1, 0.3}, Budget{Norm::l1, 0.003}}) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      const Cloud cloud(budget, seed);
      for (const auto& verdict :
           measured(cloud.x, nearest_eight_bit(cloud.x, cloud.x_adv, budget), budget))
        EXPECT_TRUE(verdict.in_ball && verdict.in_box)
            << to_string(budget.norm) << " " << budget.epsilon << ": " << verdict.norm(budget.norm);
    }
  }
}

TEST(EightBit, RoundsToTheNearestWhereTheBallIsWide) {
  const Cloud cloud({Norm::linf, 0.1}, 1);
  const auto expected = (cloud.x_adv.to(at::kDouble) * 255).round();
  for (const auto& wide : {Budget{Norm::linf, 1}, Budget{Norm::l2, 10}, Budget{Norm::l1, 100}})
    EXPECT_TRUE(at::equal(nearest_eight_bit(cloud.x, cloud.x_adv, wide).to(at::kDouble), expected));
}

TEST(EightBit, InLinfIsTheNearestOfAllInsideByEnumeration) {
  const Budget budget{Norm::linf, 0.03};
  const Cloud cloud(budget, 2, 4);
  const auto got = as_values(nearest_eight_bit(cloud.x, cloud.x_adv, budget)).flatten();
  const auto grid = as_values(at::arange(256, at::kLong)).to(at::kDouble);
  const auto x = cloud.x.flatten().to(at::kDouble), x_adv = cloud.x_adv.flatten().to(at::kDouble);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const auto inside = (grid - x[i]).abs() <= allowed_norm(budget);
    const auto best = at::where(inside, (grid - x_adv[i]).abs(), 9).min().item<double>();
    EXPECT_NEAR(std::abs(got[i].item<double>() - x_adv[i].item<double>()), best, 1e-12) << i;
  }
}

/// Squared distances to x_adv of the 2ⁿ images that round each entry up or down and lie inside.
double best_by_enumeration(const std::vector<double>& x, const std::vector<double>& x_adv,
                           const Budget& budget) {
  double best = 1e9;
  for (unsigned choice = 0; choice < 1U << x.size(); ++choice) {
    double norm = 0, distance = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double k = std::floor(x_adv[i] * 255) + (choice >> i & 1);
      const double value = double{static_cast<float>(k) / 255.0F};
      norm += std::pow(std::abs(value - x[i]), budget.norm == Norm::l2 ? 2 : 1);
      distance += std::pow(value - x_adv[i], 2);
    }
    if (budget.norm == Norm::l2) norm = std::sqrt(norm);
    if (norm <= allowed_norm(budget)) best = std::min(best, distance);
  }
  return best;
}

TEST(EightBit, InL1IsTheNearestAndInL2NearItByEnumeration) {
  double worst_ratio = 1;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    at::manual_seed(seed);
    const auto x = as_values(at::randint(60, 200, {1, 8}, at::kLong));
    const auto x_adv = x + (at::rand({1, 8}) * 2 - 1) * 0.03;
    const auto difference = (x_adv.to(at::kDouble) - x.to(at::kDouble));
    std::vector<double> from, to;
    for (int i = 0; i < 8; ++i) {
      from.push_back(x[0][i].item<double>());
      to.push_back(x_adv[0][i].item<double>());
    }
    for (const auto norm : {Norm::l1, Norm::l2}) {
      const double power = norm == Norm::l2 ? 2 : 1;
      const Budget budget{norm,
                          std::pow(difference.abs().pow(power).sum().item<double>(), 1 / power)};
      const auto pixels = nearest_eight_bit(x, x_adv, budget);
      const auto distance =
          (as_values(pixels).to(at::kDouble) - x_adv.to(at::kDouble)).square().sum().item<double>();
      const double best = best_by_enumeration(from, to, budget);
      EXPECT_LE(distance, best * (norm == Norm::l1 ? 1 + 1e-6 : 1.5)) << seed;
      worst_ratio = std::max(worst_ratio, distance / best);
    }
  }
  RecordProperty("worst_ratio", std::to_string(worst_ratio));
}

TEST(EightBit, WhereNoGridPointIsInsideItSaysSo) {
  const auto x = at::full({1, 1, 2, 3}, 100.5f / 255);
  const auto verdicts = verify_with_eight_bit(toy_model(), x, x + 1e-4, at::zeros({1}, at::kLong),
                                              {Norm::linf, 1e-3});
  EXPECT_TRUE(verdicts[0].in_ball);
  EXPECT_FALSE(verdicts[0].eight_bit->inside);
  EXPECT_FALSE(verdicts[0].eight_bit->broken());
}

/// x on the grid and a boundary just above it: only a fraction of a grid step crosses.
TEST(EightBit, IsAColumnThatNeverChangesTheVerdict) {
  const auto x = at::full({2, 1, 2, 3}, 128.0f / 255);
  const double threshold = (128.3 / 255) * 6;
  const auto model = model_of([=](const at::Tensor& v) {
    const auto z = v.flatten(1).to(at::kDouble).sum(1) - threshold;
    return at::stack({at::zeros_like(z), z}, 1).to(at::kFloat);
  });
  const auto y = at::zeros({2}, at::kLong);
  auto x_adv = x.clone();
  x_adv[0].add_(0.4f / 255);
  x_adv[1].add_(0.9f / 255);
  const Budget budget{Norm::linf, 1.0 / 255};
  const auto verdicts = verify_with_eight_bit(model, x, x_adv, y, budget);
  const auto plain = verify(model, x, x_adv, y, budget);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(verdicts[i].broken() && plain[i].broken());
    EXPECT_FALSE(plain[i].eight_bit.has_value());
    EXPECT_EQ(verdicts[i].reading.margin, plain[i].reading.margin);
  }
  EXPECT_TRUE(verdicts[0].eight_bit->inside && verdicts[1].eight_bit->inside);
  EXPECT_FALSE(verdicts[0].eight_bit->broken());
  EXPECT_EQ(verdicts[0].eight_bit->prediction, 0);
  EXPECT_TRUE(verdicts[1].eight_bit->broken());
}

// Published exports cut 255 v off to an integer, and add perturbations to bytes that wrap around.
TEST(EightBitPitfalls, RoundsInsteadOfCuttingOffAndNeverWrapsAround) {
  const Budget wide{Norm::linf, 1};
  const auto x = at::zeros({1, 1, 2, 3});
  auto x_adv = at::tensor({200.9f / 255, 0.6f / 255, 1.0f, 1.5f, -0.1f, 254.6f / 255}, at::kFloat)
                   .view({1, 1, 2, 3});
  const auto pixels = nearest_eight_bit(x, x_adv, wide).flatten();
  EXPECT_TRUE(at::equal(pixels, at::tensor({201, 1, 255, 255, 0, 255}, at::kByte)));
  const auto white = at::ones({1, 1, 2, 3});
  EXPECT_TRUE(at::equal(nearest_eight_bit(white, white + 8.0 / 255, {Norm::linf, 8.0 / 255}),
                        at::full({1, 1, 2, 3}, 255, at::kByte)));
}

}  // namespace
}  // namespace namid::eval
