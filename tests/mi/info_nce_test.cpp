// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/info_nce.h"

#include <gtest/gtest.h>

#include "namid/core/error.h"
#include "support/mi_golden.h"

namespace namid::mi {
namespace {

using testing::at3;
using testing::deviation;
using testing::gradient_error;
using testing::MiGolden;
using testing::report_deviation;
using testing::wave;

TEST(InfoNce, GivesTheReferenceValueWithNegativesMaskedByMinusTen) {
  const double got =
      info_nce_locations(MiGolden().scores(), NceMask::minus_ten).mean().item<double>();
  report_deviation(std::abs(got - 2.51444404));
  EXPECT_NEAR(got, 2.51444404, 1e-8);
}

TEST(InfoNce, OverLocationsIsTheSoftmaxWrittenOut) {
  const auto u = wave({4, 4, 3}, 1.1) * 2;
  for (const auto mask : {NceMask::minus_ten, NceMask::exclude}) {
    const auto loss = info_nce_locations(u, mask);
    for (int i = 0; i < 4; ++i)
      for (int k = 0; k < 3; ++k) {
        double sum =
            std::exp(at3(u, i, i, k)) + (mask == NceMask::minus_ten ? 3 * std::exp(-10.) : 0);
        for (int j = 0; j < 4; ++j)
          for (int l = 0; l < 3; ++l)
            if (j != i) sum += std::exp(at3(u, i, j, l));
        EXPECT_NEAR(loss[i][k].item<double>(), std::log(sum) - at3(u, i, i, k), 1e-13);
      }
  }
}

TEST(InfoNce, IsTheSoftmaxOfARowLessLogN) {
  const auto u = wave({4, 4, 3}, 1.1) * 2;
  const auto loss = info_nce(u);
  for (int i = 0; i < 4; ++i)
    for (int k = 0; k < 3; ++k) {
      double sum = 0;
      for (int j = 0; j < 4; ++j) sum += std::exp(at3(u, i, j, k));
      EXPECT_NEAR(loss[i][k].item<double>(), std::log(sum / 4) - at3(u, i, i, k), 1e-13);
    }
  const auto one = u.narrow(2, 0, 1);
  EXPECT_LT(deviation(info_nce(one), info_nce_locations(one) - std::log(4.)), 1e-13);
}

TEST(InfoNce, IsNeverAboveLogN) {
  for (const std::int64_t n : {2, 5, 40}) {
    const auto u = at::eye(n, at::kDouble).unsqueeze(2) * 1e3;  // as sure as a critic can be
    EXPECT_NEAR(-info_nce(u).mean().item<double>(), std::log(static_cast<double>(n)), 1e-12);
    EXPECT_LE(-info_nce(wave({n, n, 2}, 2.3) * 50).min().item<double>(),
              std::log(static_cast<double>(n)) + 1e-12);
  }
}

TEST(InfoNce, GradientsMatchFiniteDifferences) {
  const auto u = wave({3, 3, 2}, 0.9) * 2;
  const auto weights = wave({3, 2}, 0.4, 1);
  EXPECT_LT(gradient_error([&](const at::Tensor& v) { return (info_nce(v) * weights).sum(); }, u),
            1e-8);
  for (const auto mask : {NceMask::minus_ten, NceMask::exclude})
    EXPECT_LT(
        gradient_error(
            [&](const at::Tensor& v) { return (info_nce_locations(v, mask) * weights).sum(); }, u),
        1e-8);
}

TEST(InfoNce, RefusesOneSampleAndUnfitShapes) {
  for (const auto& unfit : {at::zeros({1, 1, 5}), at::zeros({3, 4, 5}), at::zeros({3, 3, 0})}) {
    EXPECT_THROW(info_nce(unfit), OptionError);
    EXPECT_THROW(info_nce_locations(unfit), OptionError);
  }
}

}  // namespace
}  // namespace namid::mi
