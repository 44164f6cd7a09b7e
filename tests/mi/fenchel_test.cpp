// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/fenchel.h"

#include <gtest/gtest.h>

#include "namid/core/error.h"
#include "namid/mi/tuba.h"
#include "support/mi_golden.h"

namespace namid::mi {
namespace {

using testing::at3;
using testing::deviation;
using testing::gradient_error;
using testing::MiGolden;
using testing::report_deviation;
using testing::wave;
using enum FenchelMeasure;
constexpr std::array kAll{gan, jsd, x2, kl, rkl, dv, h2, w1};

double plus(double p, FenchelMeasure measure) {
  const double sigmoid = 1 / (1 + std::exp(-p));
  switch (measure) {
    case gan:
      return std::log(sigmoid);
    case jsd:
      return std::log(2 * sigmoid);
    case x2:
      return p * p;
    case rkl:
      return -1 / std::exp(p);
    case h2:
      return 1 - 1 / std::exp(p);
    default:
      return p;
  }
}

double minus(double q, FenchelMeasure measure) {
  const double sigmoid = 1 / (1 + std::exp(-q));
  switch (measure) {
    case gan:
      return -std::log(1 - sigmoid);
    case jsd:
      return -std::log(2 * (1 - sigmoid));
    case x2:
      return -0.5 * std::pow(std::sqrt(q * q) + 1, 2);
    case kl:
      return std::exp(q) / std::exp(1.);
    case rkl:
      return q - 1;
    case h2:
      return std::exp(q) - 1;
    default:
      return q;
  }
}

TEST(Fenchel, GivesTheReferenceValues) {
  const std::map<FenchelMeasure, double> golden{
      {gan, 1.38724888}, {jsd, 0.00095452}, {x2, -4.88942165}, {kl, -0.1722111}, {w1, -0.87148269}};
  double largest = 0;
  for (const auto& [measure, expected] : golden) {
    const double got = fenchel(MiGolden().scores(), measure).mean().item<double>();
    EXPECT_NEAR(got, expected, 1e-8) << to_string(measure);
    largest = std::max(largest, std::abs(got - expected));
  }
  report_deviation(largest);
}

TEST(Fenchel, IsTheDualWrittenOutPerSampleAndLocation) {
  const auto u = wave({4, 4, 3}, 1.1) * 2;
  for (const auto measure : kAll) {
    const auto loss = fenchel(u, measure);
    for (int i = 0; i < 4; ++i)
      for (int k = 0; k < 3; ++k) {
        double others = 0;
        for (int j = 0; j < 4; ++j)
          if (j != i)
            others += measure == dv ? std::exp(at3(u, j, i, k)) : minus(at3(u, i, j, k), measure);
        const double negative = measure == dv ? std::log(others / 3) : others / 3;
        EXPECT_NEAR(loss[i][k].item<double>(), negative - plus(at3(u, i, i, k), measure), 1e-12)
            << to_string(measure);
      }
  }
}

TEST(Fenchel, OfTheKlMeasureIsTheBoundOfNguyenWainwrightJordan) {
  const auto u = wave({6, 6, 2}, 0.7) * 3;
  EXPECT_LT(deviation(fenchel(u, kl), nwj(u)), 1e-13);
}

TEST(Fenchel, GradientsMatchFiniteDifferences) {
  const auto weights = wave({3, 2}, 0.4, 1);
  for (const auto measure : kAll) {
    const auto f = [&](const at::Tensor& u) { return (fenchel(u, measure) * weights).sum(); };
    EXPECT_LT(gradient_error(f, wave({3, 3, 2}, 0.9)), 1e-8) << to_string(measure);
  }
}

TEST(Fenchel, OwnScoresThatWouldOverflowDoNoHarm) {
  for (const auto measure : {kl, h2}) {
    auto u = at::zeros({3, 3, 1}).fill_(1);
    for (int i = 0; i < 3; ++i) u[i][i][0] = 200;
    u.requires_grad_();
    const auto loss = fenchel(u, measure);
    loss.sum().backward();
    EXPECT_TRUE(loss.isfinite().all().item<bool>());
    EXPECT_TRUE(u.grad().isfinite().all().item<bool>());
  }
}

TEST(Fenchel, GeneratorLossesAreTheTwoExpectations) {
  const auto q = wave({4, 3}, 0.9);
  for (const auto measure : kAll) {
    double minimax = 0, saturating = 0;
    for (int c = 0; c < 3; ++c) {
      double column = 0;
      for (int r = 0; r < 4; ++r) {
        const double value = q[r][c].item<double>();
        saturating -= plus(value, measure) / 12;
        column += measure == dv ? std::exp(value) : minus(value, measure);
      }
      minimax += (measure == dv ? std::log(column / 4) : column / 4) / 3;
    }
    EXPECT_NEAR(fenchel_generator_loss(q, measure, GeneratorLoss::minimax).item<double>(), minimax,
                1e-12)
        << to_string(measure);
    EXPECT_NEAR(fenchel_generator_loss(q, measure).item<double>(), saturating, 1e-12);
  }
  EXPECT_THROW(fenchel_generator_loss(at::empty({0}), jsd), OptionError);
}

TEST(Fenchel, RefusesOneSampleAndUnfitShapes) {
  EXPECT_THROW(fenchel(at::zeros({1, 1, 5})), OptionError);
  EXPECT_THROW(fenchel(at::zeros({3, 4, 5})), OptionError);
}

}  // namespace
}  // namespace namid::mi
