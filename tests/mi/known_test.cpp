// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/known.h"

#include <gtest/gtest.h>

#include "namid/core/error.h"
#include "support/waves.h"

namespace namid::mi {
namespace {

using testing::deviation;

SampleIds ids_up_to(std::int64_t count) {
  SampleIds ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

const Random kRandom(11, "known");

double correlation(const at::Tensor& a, const at::Tensor& b) {
  const auto u = a - a.mean(), v = b - b.mean();
  return ((u * v).mean() / (u.square().mean() * v.square().mean()).sqrt()).item<double>();
}

/// The class that an image of `class_images` shows, by deciding every pixel at 1/2.
at::Tensor decode(const at::Tensor& images) {
  const auto shown = images.flatten(1).gt(0.5);
  at::Tensor found = at::full({images.size(0)}, -1, at::kLong);
  for (std::int64_t c = 0; c < 16; ++c) {
    const auto word = class_images(at::full({1}, c, at::kLong), at::zeros({1, 16}));
    found.masked_fill_(shown.eq(word.flatten(1).gt(0.5)).all(1), c);
  }
  return found;
}

TEST(Known, InformationAndParameterAreInverse) {
  for (const std::int64_t d : {1, 2, 64})
    for (const double information : {0.01, 0.5, 2.0, 8.0})
      EXPECT_NEAR(gaussian_information(gaussian_correlation(information, d), d), information, 1e-9);
  EXPECT_NEAR(gaussian_information(0.8, 1), -0.5 * std::log(0.36), 1e-15);
  for (const std::int64_t k : {2, 10})
    for (const double share : {0.05, 0.5, 0.95}) {
      const double information = share * std::log(static_cast<double>(k));
      EXPECT_NEAR(symmetric_channel_information(symmetric_channel_error(information, k), k),
                  information, 1e-12);
    }
  EXPECT_NEAR(symmetric_channel_information(0, 10), std::log(10.), 1e-15);
  EXPECT_NEAR(symmetric_channel_information(0.5, 2), 0, 1e-15);
  // Binary channel: log 2 less the entropy of the error.
  EXPECT_NEAR(symmetric_channel_information(0.1, 2),
              std::log(2.) + 0.9 * std::log(0.9) + 0.1 * std::log(0.1), 1e-15);
}

TEST(Known, GaussianPairsHaveTheirCorrelation) {
  const Known known{.dimension = 3, .information = 1.5};
  const auto pairs = draw(known, kRandom, ids_up_to(20000));
  const double rho = gaussian_correlation(1.5, 3);
  for (int c = 0; c < 3; ++c) {
    EXPECT_NEAR(correlation(pairs.x.select(1, c), pairs.y.select(1, c)), rho, 0.02);
    EXPECT_NEAR(correlation(pairs.x.select(1, c), pairs.y.select(1, (c + 1) % 3)), 0, 0.03);
    EXPECT_NEAR(pairs.y.select(1, c).square().mean().item<double>(), 1, 0.04);
  }
  auto shuffled = known;
  shuffled.shuffled = true;
  const auto apart = draw(shuffled, kRandom, ids_up_to(20000));
  EXPECT_NEAR(correlation(apart.x.select(1, 0), apart.y.select(1, 0)), 0, 0.03);
  EXPECT_EQ(true_information(shuffled), 0);
}

TEST(Known, MeanLogRatioOfGaussianPairsIsTheInformation) {
  const auto pairs = draw({.dimension = 4, .information = 2}, kRandom, ids_up_to(20000));
  const double rho = gaussian_correlation(2, 4), variance = 1 - rho * rho;
  const auto ratio = (-(pairs.y - rho * pairs.x).square() / (2 * variance) + pairs.y.square() / 2 -
                      0.5 * std::log(variance))
                         .sum(1);
  const double error = ratio.std().item<double>() / std::sqrt(20000.);
  EXPECT_NEAR(ratio.mean().item<double>(), 2, 4 * error);
}

TEST(Known, NoiseLowersTheCorrelationAsItsTruthSays) {
  const Known noisy{.dimension = 1, .information = 1, .noise = 0.7};
  const auto pairs = draw(noisy, kRandom, ids_up_to(40000));
  const double seen = gaussian_information(correlation(pairs.x, pairs.y), 1);
  EXPECT_NEAR(seen, true_information(noisy), 0.02);
  EXPECT_LT(true_information(noisy), 0.7);
}

TEST(Known, CubesAndImagesAreOneToOneWithTheGaussians) {
  const auto ids = ids_up_to(50);
  const auto plain = draw({.dimension = 5}, kRandom, ids);
  const auto cubed = draw({.family = KnownFamily::cubed, .dimension = 5}, kRandom, ids);
  EXPECT_TRUE(cubed.x.equal(plain.x));
  EXPECT_LT(deviation(cubed.y, plain.y.pow(3)), 1e-6);
  const auto image = draw({.family = KnownFamily::image, .dimension = 5}, kRandom, ids);
  ASSERT_EQ(image.x.sizes(), (std::vector<std::int64_t>{50, 1, 8, 8}));
  const auto first = image.x.select(1, 0).select(1, 0);  // the first row holds x_0 .. x_3 twice
  EXPECT_LT(deviation((first.narrow(1, 0, 4) - 0.5) * 10, plain.x.narrow(1, 0, 4)), 1e-5);
  EXPECT_TRUE(first.narrow(1, 0, 4).equal(first.narrow(1, 4, 4)));
  EXPECT_LT(
      deviation((image.x.select(1, 0).select(1, 5).select(1, 0) - 0.5) * 10, plain.x.select(1, 4)),
      1e-5);
}

TEST(Known, LabelImagesTellTheirClassAndTheChannelErrsAsOften) {
  const Known known{.family = KnownFamily::label, .dimension = 10, .information = 1};
  const std::int64_t n = 20000;
  const auto pairs = draw(known, kRandom, ids_up_to(n));
  EXPECT_GE(pairs.x.min().item<double>(), 0);
  EXPECT_LE(pairs.x.max().item<double>(), 1);
  const auto sent = decode(pairs.x), received = pairs.y.argmax(1);
  EXPECT_GE(sent.min().item<std::int64_t>(), 0);
  EXPECT_LT(sent.max().item<std::int64_t>(), 10);
  EXPECT_TRUE(pairs.y.sum(1).eq(1).all().item<bool>());
  const double error = symmetric_channel_error(1, 10);
  const double spread = std::sqrt(error * (1 - error) / static_cast<double>(n));
  const auto wrong = sent.ne(received);
  EXPECT_NEAR(wrong.to(at::kDouble).mean().item<double>(), error, 4 * spread);
  // Wrong ones go to each of the nine others alike: chi-square, 8 degrees of freedom, 0.1 %.
  const auto steps = (received - sent).remainder(10).masked_select(wrong);
  const double expected = static_cast<double>(steps.numel()) / 9;
  double chi_square = 0;
  for (int step = 1; step < 10; ++step) {
    const double off = steps.eq(step).sum().item<double>() - expected;
    chi_square += off * off / expected;
  }
  EXPECT_LT(chi_square, 26.1);
}

TEST(Known, ARowDependsOnItsIdAlone) {
  for (const auto family : {KnownFamily::gaussian, KnownFamily::image, KnownFamily::label}) {
    const Known known{.family = family, .dimension = 4};
    const auto all = draw(known, kRandom, ids_up_to(9)), one = draw(known, kRandom, {6});
    EXPECT_TRUE(one.x[0].equal(all.x[6]) && one.y[0].equal(all.y[6])) << to_string(family);
  }
}

TEST(Known, RefusesDistributionsThatDoNotExist) {
  using enum KnownFamily;
  for (const Known& known :
       {Known{gaussian, 0, 1}, Known{gaussian, 2, 0}, Known{gaussian, 2, -1},
        Known{gaussian, 2, std::nan("")}, Known{gaussian, 2, 1, -1}, Known{image, 17, 1},
        Known{label, 1, 0.1}, Known{label, 17, 1}, Known{label, 10, 2.31}, Known{label, 10, 1, 1}})
    EXPECT_THROW(draw(known, kRandom, {0}), OptionError) << known.name();
  EXPECT_THROW(render(at::zeros({1, 17})), OptionError);
}

}  // namespace
}  // namespace namid::mi
