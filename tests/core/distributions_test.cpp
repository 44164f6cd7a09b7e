// SPDX-License-Identifier: Apache-2.0
#include "namid/core/distributions.h"

#include <gtest/gtest.h>

#include <cmath>

namespace namid {
namespace {

TEST(IncompleteBeta, HasItsClosedForms) {
  for (const double x : {0.0, 0.01, 0.3, 0.5, 0.77, 0.999, 1.0}) {
    EXPECT_NEAR(incomplete_beta(x, 1, 1), x, 1e-15);
    EXPECT_NEAR(incomplete_beta(x, 3, 1), x * x * x, 1e-14);
    EXPECT_NEAR(incomplete_beta(x, 1, 4), 1 - std::pow(1 - x, 4), 1e-14);
    EXPECT_NEAR(incomplete_beta(x, 0.5, 0.5), 2 / M_PI * std::asin(std::sqrt(x)), 1e-14);
  }
}

TEST(BetaQuantile, InvertsTheDistribution) {
  for (const double p : {1e-6, 0.025, 0.5, 0.975})
    for (const double a : {0.5, 3.0, 400.0})
      EXPECT_NEAR(incomplete_beta(beta_quantile(p, a, 7), a, 7), p, 1e-13);
}

TEST(BinomialCdf, IsTheSumOfTheProbabilities) {
  for (const double p : {0.02, 0.5, 0.9}) {
    double sum = 0;
    for (std::int64_t k = 0; k <= 40; ++k) {
      sum += std::exp(log_binomial(k, 40, p));
      EXPECT_NEAR(binomial_cdf(k, 40, p), sum, 1e-13);
    }
  }
  EXPECT_EQ(binomial_cdf(-1, 5, 0.3), 0);
  EXPECT_EQ(binomial_cdf(0, 0, 0.3), 1);
}

TEST(BinomialCdf, KeepsItsRelativePrecisionInTheTail) {
  EXPECT_NEAR(binomial_cdf(0, 1000, 0.5) * std::ldexp(1, 1000), 1, 1e-11);
  EXPECT_NEAR(binomial_cdf(1, 1000, 0.5) * std::ldexp(1, 1000), 1001, 1e-8);
}

TEST(Student, HasItsClosedForms) {
  for (const double t : {0.0, 0.3, 1.0, 12.7}) {
    EXPECT_NEAR(student_two_tails(t, 1), 1 - 2 / M_PI * std::atan(t), 1e-14);
    EXPECT_NEAR(student_two_tails(t, 2), 1 - t / std::sqrt(2 + t * t), 1e-14);
  }
  EXPECT_NEAR(student_critical(0.05, 1), std::tan(M_PI / 2 * 0.95), 1e-12);
}

TEST(NoncentralStudent, IsTheCentralOneWithoutAShiftAndNormalWithManyDegrees) {
  for (const double t : {-2.0, -0.1, 0.0, 0.7, 3.0}) {
    EXPECT_NEAR(noncentral_student_cdf(t, 4, 0), noncentral_student_cdf(t, 4, 1e-13), 1e-12);
    EXPECT_NEAR(noncentral_student_cdf(t, 4, 0) + noncentral_student_cdf(-t, 4, 0), 1, 1e-15);
    EXPECT_NEAR(noncentral_student_cdf(t, 1e7, 1.5), normal_cdf(t - 1.5), 1e-6);
  }
}

TEST(NoncentralStudent, HoldsWhereTheSeriesStartsFarFromItsFirstTerm) {
  // One degree of freedom: T ≤ t where |N(0,1)| ≥ (Z + shift)/t, so for a large shift about
  // 1 - P[|N| < shift/t].
  const double found = noncentral_student_cdf(400, 1, 200);
  EXPECT_NEAR(found, 2 * normal_cdf(-0.5), 1e-5);
}

}  // namespace
}  // namespace namid
