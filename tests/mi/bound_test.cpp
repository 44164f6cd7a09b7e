// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/bound.h"

#include <gtest/gtest.h>

#include "namid/core/error.h"
#include "namid/mi/club.h"
#include "namid/mi/donsker_varadhan.h"
#include "namid/mi/info_nce.h"
#include "namid/mi/interpolated.h"
#include "namid/mi/leave_one_out.h"
#include "namid/mi/smile.h"
#include "namid/mi/tuba.h"
#include "support/mi_golden.h"

namespace namid::mi {
namespace {

using testing::at3;
using testing::deviation;
using testing::gradient_error;
using testing::wave;

at::Tensor zero() {
  return at::zeros({}, at::kDouble);
}

TEST(Tuba, IsTheBoundWrittenOut) {
  const auto u = wave({4, 4, 2}, 1.1) * 2, b = wave({4, 2}, 0.7);
  const auto loss = tuba(u, b);
  for (int i = 0; i < 4; ++i)
    for (int k = 0; k < 2; ++k) {
      const double base = b[i][k].item<double>();
      double others = 0;
      for (int j = 0; j < 4; ++j)
        if (j != i) others += std::exp(at3(u, i, j, k)) / std::exp(base);
      EXPECT_NEAR(loss[i][k].item<double>(), others / 3 - 1 - at3(u, i, i, k) + base, 1e-12);
    }
}

TEST(Tuba, TakesBaselinesPerBatchRowOrLocation) {
  const auto u = wave({4, 4, 2}, 1.1), b = wave({4}, 0.7);
  EXPECT_LT(deviation(tuba(u, at::ones({}, at::kDouble)), nwj(u)), 1e-13);
  EXPECT_TRUE(tuba(u, b).equal(tuba(u, b.unsqueeze(1).expand({4, 2}))));
  EXPECT_THROW(tuba(u, at::zeros({3})), OptionError);
  EXPECT_THROW(tuba(u, at::zeros({4, 3})), OptionError);
  EXPECT_THROW(tuba(at::zeros({1, 1, 2}), zero()), OptionError);
  EXPECT_THROW(nwj(at::zeros({2, 3, 2})), OptionError);
}

TEST(Tuba, IsTightestWhereTheBaselineIsTheRowsMeanRatio) {  // d/db = 0 at exp b = mean exp u
  const auto u = wave({5, 5, 2}, 1.1);
  const auto best = exp_mean_of_others(u).log();
  EXPECT_LT(deviation(tuba(u, best), donsker_varadhan(u)), 1e-13);
  EXPECT_TRUE(tuba(u, best + 0.3).gt(tuba(u, best)).all().item<bool>());
  EXPECT_TRUE(tuba(u, best - 0.3).gt(tuba(u, best)).all().item<bool>());
}

TEST(Interpolated, IsTheBoundWrittenOut) {
  const auto u = wave({4, 4, 2}, 1.1) * 2, b = wave({4}, 0.7);
  const double alpha = 0.3;
  const auto loss = interpolated(u, b, alpha);
  for (int i = 0; i < 4; ++i)
    for (int k = 0; k < 2; ++k) {
      const auto baseline = [&](int left_out) {
        double mean = 0;
        for (int j = 0; j < 4; ++j)
          if (j != left_out) mean += std::exp(at3(u, i, j, k)) / 3;
        return alpha * mean + (1 - alpha) * std::exp(b[i].item<double>());
      };
      double joint = 0, marginal = 0;
      for (int j = 0; j < 4; ++j)
        if (j != i) {
          joint += (at3(u, i, i, k) - std::log(baseline(j))) / 3;
          marginal += std::exp(at3(u, i, j, k)) / baseline(i) / 3;
        }
      EXPECT_NEAR(loss[i][k].item<double>(), marginal - 1 - joint, 1e-12);
    }
}

TEST(Interpolated, EndsInTubaAndInInfoNceOfOneImageLess) {
  const auto u = wave({4, 4, 2}, 1.1) * 2, b = wave({4}, 0.7);
  EXPECT_TRUE(interpolated(u, b, 0).equal(tuba(u, b)));
  // alpha 1: InfoNCE of row 1 among three images, averaged over which of the others stays away.
  double expected = 0;
  for (const int away : {0, 2, 3}) {
    double sum = 0;
    for (int j = 0; j < 4; ++j)
      if (j != away) sum += std::exp(at3(u, 1, j, 0));
    expected += (std::log(sum / 3) - at3(u, 1, 1, 0)) / 3;
  }
  EXPECT_NEAR(interpolated(u, b, 1)[1][0].item<double>(), expected, 1e-13);
}

TEST(Interpolated, KeepsItsDigitsWhereOneScoreOutweighsAll) {
  auto u = at::zeros({5, 5, 1}, at::kDouble);
  for (int i = 0; i < 5; ++i) u[i][i][0] = 60;  // e⁻⁶⁰ is lost beside 1
  const auto loss = interpolated(u, zero(), 0.5);
  // With the own image m_l ≈ e⁶⁰/4; without it m_i = 1, baseline 1: joint log 8, marginal 1.
  EXPECT_LT((loss + std::log(8.)).abs().max().item<double>(), 1e-12);
}

TEST(Interpolated, GradientMatchesFiniteDifferences) {
  const auto u = wave({4, 4, 2}, 0.9) * 2;
  const auto weights = wave({4, 2}, 0.4, 1);
  for (const double alpha : {0.01, 0.5, 1.0}) {
    const auto f = [&](const at::Tensor& v) {
      return (interpolated(v, zero(), alpha) * weights).sum();
    };
    EXPECT_LT(gradient_error(f, u), 1e-7) << alpha;
  }
}

TEST(Interpolated, RefusesAlphaOutOfRange) {
  const auto u = at::zeros({3, 3, 1});
  for (const double alpha : {-0.1, 1.1, std::nan("")})
    EXPECT_THROW(interpolated(u, zero(), alpha), OptionError) << alpha;
  EXPECT_THROW(interpolated(at::zeros({1, 1, 1}), zero(), 0.5), OptionError);
}

TEST(Smile, ClipsTheNegativesAlone) {
  const auto u = wave({4, 4, 2}, 1.1) * 8;
  const auto loss = smile(u, 2);
  for (int k = 0; k < 2; ++k) {
    double sum = 0;
    for (int a = 0; a < 4; ++a)
      for (int b = 0; b < 4; ++b)
        if (a != b) sum += std::exp(std::clamp(at3(u, a, b, k), -2., 2.));
    for (int i = 0; i < 4; ++i)
      EXPECT_NEAR(loss[i][k].item<double>(), std::log(sum / 12) - at3(u, i, i, k), 1e-12);
  }
  const double never = std::numeric_limits<double>::infinity();
  EXPECT_LT(deviation(smile(u, never), donsker_varadhan_pooled(u)), 1e-12);
}

TEST(Smile, RefusesATauThatIsNotPositive) {
  for (const double tau : {0., -1., std::nan("")})
    EXPECT_THROW(smile(at::zeros({3, 3, 1}), tau), OptionError) << tau;
}

/// Batches of N pairs from a bivariate normal of correlation rho, and log p(y_i|x_j).
struct Bivariate {
  static constexpr double kRho = 0.8;
  static constexpr int kBatches = 400, kN = 64;
  const double truth = -0.5 * std::log(1 - kRho * kRho);

  at::Tensor log_density(int batch) const {
    SampleIds ids(kN);
    std::iota(ids.begin(), ids.end(), batch * kN);
    const auto normal = random_normal(Random(5, "test"), ids, at::empty({kN, 2})).to(at::kDouble);
    const auto x = normal.select(1, 0);
    const auto y = kRho * x + std::sqrt(1 - kRho * kRho) * normal.select(1, 1);
    last_y_ = y;
    return log_normal(y.unsqueeze(1) - kRho * x.unsqueeze(0), 1 - kRho * kRho);
  }
  /// log p(y_i|x_j) / p(y_i): the best critic.
  at::Tensor log_ratio(int batch) const {
    const auto density = log_density(batch);
    return (density - log_normal(last_y_, 1).unsqueeze(1)).unsqueeze(2);
  }
  static at::Tensor log_normal(const at::Tensor& z, double variance) {
    return -0.5 * z.square() / variance - 0.5 * std::log(2 * M_PI * variance);
  }
  /// Mean of `value` over the batches, and its standard error.
  std::pair<double, double> mean(const std::function<double(int)>& value) const {
    double sum = 0, squares = 0;
    for (int batch = 0; batch < kBatches; ++batch) {
      const double v = value(batch);
      sum += v;
      squares += v * v;
    }
    const double mean = sum / kBatches;
    return {mean, std::sqrt((squares / kBatches - mean * mean) / kBatches)};
  }

 private:
  mutable at::Tensor last_y_;
};

TEST(Bounds, OfABivariateNormalHoldInExpectation) {
  const Bivariate pairs;
  const auto value = [&](auto&& loss) {
    return pairs.mean(
        [&](int batch) { return -loss(pairs.log_ratio(batch)).mean().template item<double>(); });
  };
  // The best critic of nwj is 1 + log ratio, of tuba with baseline 1 the ratio: both are unbiased.
  const auto [by_nwj, nwj_error] = value([](const at::Tensor& u) { return nwj(u + 1); });
  EXPECT_NEAR(by_nwj, pairs.truth, 4 * nwj_error);
  const auto [by_tuba, tuba_error] = value([](const at::Tensor& u) { return tuba(u, zero()); });
  EXPECT_NEAR(by_tuba, pairs.truth, 4 * tuba_error);
  EXPECT_LT(nwj_error, 0.02);
  // Another critic can only lower them.
  const auto [worse, worse_error] = value([](const at::Tensor& u) { return nwj(0.7 * u + 0.8); });
  EXPECT_LT(worse, pairs.truth - 4 * worse_error);
  for (const double alpha : {0.2, 0.8, 1.0}) {
    const auto [between, error] =
        value([&](const at::Tensor& u) { return interpolated(u, zero(), alpha); });
    EXPECT_LT(between, pairs.truth + 4 * error) << alpha;
    EXPECT_GT(between, pairs.truth - 0.05) << alpha;
  }
  const auto [by_nce, nce_error] = value(info_nce);
  EXPECT_LT(by_nce, pairs.truth + 4 * nce_error);
  EXPECT_GT(by_nce, pairs.truth - 0.05);
}

TEST(Bounds, RowWiseDonskerVaradhanOfTwoSamplesLiesAboveTheTruth) {  // hence "neither"
  const Bivariate pairs;
  const auto [small, error] = pairs.mean([&](int batch) {
    const auto u = pairs.log_ratio(batch).narrow(0, 0, 2).narrow(1, 0, 2);
    return -donsker_varadhan(u).mean().item<double>();
  });
  EXPECT_GT(small, pairs.truth + 4 * error);
}

TEST(Bounds, FromAboveHoldForTheKnownDensity) {
  const Bivariate pairs;
  const auto [by_loo, loo_error] = pairs.mean(
      [&](int batch) { return leave_one_out(pairs.log_density(batch)).mean().item<double>(); });
  EXPECT_GT(by_loo, pairs.truth - 4 * loo_error);
  EXPECT_LT(by_loo, pairs.truth + 0.1);
  const auto [by_club, club_error] =
      pairs.mean([&](int batch) { return club(pairs.log_density(batch)).mean().item<double>(); });
  // E log p(y|x) − E E log p(y|x') = rho² / (1 − rho²)
  EXPECT_NEAR(by_club, 0.64 / 0.36, 4 * club_error);
  EXPECT_GT(by_club, by_loo);
}

TEST(Bounds, FromAboveAreTheFormulasWrittenOut) {
  const auto d = wave({4, 4}, 1.3);
  for (int i = 0; i < 4; ++i) {
    double mean = 0, log_mean = 0;
    for (int j = 0; j < 4; ++j)
      if (j != i) {
        mean += std::exp(d[i][j].item<double>()) / 3;
        log_mean += d[i][j].item<double>() / 3;
      }
    const double own = d[i][i].item<double>();
    EXPECT_NEAR(leave_one_out(d)[i].item<double>(), own - std::log(mean), 1e-13);
    EXPECT_NEAR(club(d)[i].item<double>(), own - log_mean, 1e-13);
  }
  for (const auto& unfit : {at::zeros({1, 1}), at::zeros({2, 3}), at::zeros({2})}) {
    EXPECT_THROW(leave_one_out(unfit), OptionError);
    EXPECT_THROW(club(unfit), OptionError);
  }
}

TEST(BoundTable, NamesEveryBoundOnceInOrder) {
  ASSERT_EQ(bound_table().size(), EnumNames<Bound>::kNames.size());
  for (std::size_t i = 0; i < bound_table().size(); ++i) {
    const auto& row = bound_table()[i];
    EXPECT_EQ(static_cast<std::size_t>(row.bound), i);
    EXPECT_FALSE(row.note.empty());
    EXPECT_EQ(row.kind != BoundKind::neither, row.holds.find("any N") != std::string_view::npos);
  }
  EXPECT_EQ(bound_info(Bound::club_learned).kind, BoundKind::neither);
  EXPECT_EQ(bound_info(Bound::info_nce).kind, BoundKind::lower);
}

TEST(BoundLoss, GivesEverySampleAValueAndItsMeanIsTheBatchs) {
  const auto u = wave({4, 4, 2}, 1.1);
  for (const auto& row : bound_table()) {
    const BoundOptions options{.bound = row.bound};
    const bool reads_scores = row.bound != Bound::dv_units && row.bound < Bound::leave_one_out;
    if (!reads_scores) {
      EXPECT_THROW(bound_loss(u, options), OptionError) << to_string(row.bound);
      continue;
    }
    const auto loss = bound_loss(u, options);
    EXPECT_EQ(loss.sizes(), (std::vector<std::int64_t>{4, 2})) << to_string(row.bound);
    EXPECT_TRUE(loss.isfinite().all().item<bool>()) << to_string(row.bound);
    EXPECT_THROW(bound_loss(at::zeros({1, 1, 2}), options), OptionError) << to_string(row.bound);
  }
  EXPECT_LT(deviation(bound_loss(u, {.bound = Bound::tuba}), nwj(u)), 1e-13);
  EXPECT_TRUE(bound_loss(u, {.bound = Bound::fd_kl}).equal(nwj(u)));
  EXPECT_TRUE(bound_loss(u, {.bound = Bound::fd_w1}).equal(mean_of_others(u) - own_scores(u)));
  EXPECT_THROW(bound_loss(u, {.bound = Bound::smile, .tau = 0}), OptionError);
  EXPECT_THROW(bound_loss(u, {.bound = Bound::interpolated, .alpha = 2}), OptionError);
}

TEST(BoundLoss, IsNaNWhereAScoreItReadsIsNaN) {
  auto u = wave({4, 4, 1}, 1.1);
  u[1][2][0] = std::nan("");
  for (const auto& row : bound_table()) {
    if (row.bound == Bound::dv_units || row.bound >= Bound::leave_one_out) continue;
    const auto loss = bound_loss(u, {.bound = row.bound});
    EXPECT_TRUE(loss.isnan().any().item<bool>()) << to_string(row.bound);
  }
  // Row-wise bounds: only the row that has it.
  for (const auto bound : {Bound::dv, Bound::info_nce, Bound::nwj, Bound::fd_jsd}) {
    const auto bad = bound_loss(u, {.bound = bound}).isnan().squeeze(1);
    EXPECT_TRUE(bad.equal(torch::tensor({false, true, false, false}))) << to_string(bound);
  }
}

}  // namespace
}  // namespace namid::mi
