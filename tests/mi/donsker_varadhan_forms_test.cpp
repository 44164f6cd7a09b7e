// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "namid/core/error.h"
#include "namid/mi/donsker_varadhan.h"
#include "support/mi_golden.h"

namespace namid::mi {
namespace {

using testing::at3;
using testing::deviation;
using testing::gradient_error;
using testing::MiGolden;
using testing::report_deviation;
using testing::wave;

TEST(DonskerVaradhanForms, PooledGivesTheReferenceValueOfWmim) {
  const double got = donsker_varadhan_pooled(MiGolden().scores(), DvMask::multiply)  //
                         .mean()
                         .item<double>();
  report_deviation(std::abs(got + 0.06004775));
  EXPECT_NEAR(got, -0.06004775, 1e-8);
}

TEST(DonskerVaradhanForms, PooledIsTheSumOverPairsWrittenOut) {
  const auto u = wave({5, 5, 3}, 1.1) * 2;
  const auto excluded = donsker_varadhan_pooled(u);
  const auto multiplied = donsker_varadhan_pooled(u, DvMask::multiply);
  for (int k = 0; k < 3; ++k) {
    double sum = 0;
    for (int a = 0; a < 5; ++a)
      for (int b = 0; b < 5; ++b)
        if (a != b) sum += std::exp(at3(u, a, b, k));
    for (int i = 0; i < 5; ++i) {
      EXPECT_NEAR(excluded[i][k].item<double>(), std::log(sum / 20) - at3(u, i, i, k), 1e-13);
      EXPECT_NEAR(multiplied[i][k].item<double>(), std::log((sum + 5) / 20) - at3(u, i, i, k),
                  1e-13);
    }
  }
}

TEST(DonskerVaradhanForms, UnitsScoreEveryUnitByItself) {
  const auto global = wave({4, 3}, 1.3) * 2, local = wave({4, 3, 2}, 0.7) * 2;
  const auto loss = donsker_varadhan_units(global, local);
  ASSERT_EQ(loss.sizes(), (std::vector<std::int64_t>{3, 2}));
  for (int c = 0; c < 3; ++c)
    for (int k = 0; k < 2; ++k) {
      const auto v = [&](int i, int j) {
        return global[i][c].item<double>() * at3(local, j, c, k);
      };
      double largest = -1e300, sum = 0, own = 0;
      for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j) largest = std::max(largest, v(i, j) - (i == j ? 10 : 0));
      for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j)
          (i == j ? own : sum) += i == j ? v(i, j) : std::exp(v(i, j) - largest);
      EXPECT_NEAR(loss[c][k].item<double>(),
                  std::log(sum + 1e-6) + largest - std::log(12.) - own / 4, 1e-13);
    }
}

TEST(DonskerVaradhanForms, DimTakesOneLogarithmOverAllLocations) {
  const auto u = wave({4, 4, 3}, 0.9) * 3;
  double largest = -1e300, sum = 0, own = 0;
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j)
      for (int k = 0; k < 3; ++k) largest = std::max(largest, at3(u, i, j, k) - (i == j ? 10 : 0));
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j)
      for (int k = 0; k < 3; ++k)
        (i == j ? own : sum) += i == j ? at3(u, i, j, k) : std::exp(at3(u, i, j, k) - largest);
  const auto loss = donsker_varadhan_dim(u);
  EXPECT_EQ(loss.dim(), 0);
  EXPECT_NEAR(loss.item<double>(), std::log(sum + 1e-6) + largest - std::log(36.) - own / 12,
              1e-13);
}

TEST(DonskerVaradhanForms, AgreeForOneLocationUpToTheSmallConstant) {
  const auto u = wave({6, 6, 1}, 0.37) * 2;
  const double pooled = donsker_varadhan_pooled(u).mean().item<double>();
  EXPECT_NEAR(donsker_varadhan_dim(u).item<double>(), pooled, 1e-6);
  // One unit: the score tensor is the unit's matrix.
  const auto global = wave({6, 1}, 0.8), local = wave({6, 1, 1}, 0.3);
  EXPECT_NEAR(donsker_varadhan_units(global, local).sum().item<double>(),
              donsker_varadhan_pooled(score_tensor(global, local)).mean().item<double>(), 1e-6);
}

TEST(DonskerVaradhanForms, GradientsMatchFiniteDifferences) {
  const auto u = wave({3, 3, 2}, 0.9) * 2;
  const auto pooled = [](const at::Tensor& v) { return donsker_varadhan_pooled(v).square().sum(); };
  EXPECT_LT(gradient_error(pooled, u), 1e-7);
  EXPECT_LT(gradient_error(donsker_varadhan_dim, u), 1e-8);
  const auto local = wave({3, 2, 2}, 0.3);
  const auto units = [&](const at::Tensor& g) { return donsker_varadhan_units(g, local).sum(); };
  EXPECT_LT(gradient_error(units, wave({3, 2}, 1.3)), 1e-8);
}

TEST(DonskerVaradhanForms, RefuseOneSampleAndUnfitShapes) {
  for (const auto& unfit :
       {at::zeros({1, 1, 5}), at::zeros({3, 4, 5}), at::zeros({3, 3}), at::zeros({3, 3, 0})}) {
    EXPECT_THROW(donsker_varadhan_pooled(unfit), OptionError);
    EXPECT_THROW(donsker_varadhan_dim(unfit), OptionError);
  }
  EXPECT_THROW(donsker_varadhan_units(at::zeros({1, 2}), at::zeros({1, 2, 3})), OptionError);
  EXPECT_THROW(donsker_varadhan_units(at::zeros({3, 2}), at::zeros({3, 3, 3})), OptionError);
}

TEST(SampleLocations, DrawsUniformlyWithReplacementByIdAlone) {
  const Random random(3, "locations");
  SampleIds ids(200);
  std::iota(ids.begin(), ids.end(), 40);
  const auto local = at::arange(5, at::kDouble).expand({200, 2, 5});
  const auto sampled = sample_locations(local, 50, random, ids);
  ASSERT_EQ(sampled.sizes(), (std::vector<std::int64_t>{200, 2, 50}));
  EXPECT_TRUE(sampled.select(1, 0).equal(sampled.select(1, 1)));  // all units of a location
  double chi_square = 0;
  for (int k = 0; k < 5; ++k) {
    const double count = sampled.select(1, 0).eq(k).sum().item<double>();
    chi_square += (count - 2000) * (count - 2000) / 2000;
  }
  EXPECT_LT(chi_square, 18.5);  // 0.1 % of chi-square with 4 degrees of freedom
  const auto alone = sample_locations(local.narrow(0, 7, 1), 50, random, {47});
  EXPECT_TRUE(alone[0].equal(sampled[7]));
  EXPECT_FALSE(sample_locations(local, 50, random, ids, 1).equal(sampled));
}

TEST(SampleLocations, LetsGradientsThroughToTheDrawnOnes) {
  auto local = at::zeros({1, 3, 4}, at::kDouble).requires_grad_();
  sample_locations(local, 6, Random(1, "locations"), {0}).sum().backward();
  EXPECT_EQ(local.grad().sum().item<double>(), 18);
  EXPECT_TRUE(local.grad()[0][0].equal(local.grad()[0][2]));
}

TEST(SampleLocations, RefusesBadInput) {
  const Random random(1, "locations");
  EXPECT_THROW(sample_locations(at::zeros({2, 3}), 1, random, {0, 1}), OptionError);
  EXPECT_THROW(sample_locations(at::zeros({2, 3, 0}), 1, random, {0, 1}), OptionError);
  EXPECT_THROW(sample_locations(at::zeros({2, 3, 4}), 0, random, {0, 1}), OptionError);
  EXPECT_THROW(sample_locations(at::zeros({2, 3, 4}), 1, random, {0}), OptionError);
}

}  // namespace
}  // namespace namid::mi
