// SPDX-License-Identifier: Apache-2.0
//
// A network of three layers whose bounds an independent implementation printed.
#include <gtest/gtest.h>

#include "certify/toy.h"
#include "namid/certify/crown.h"
#include "namid/certify/fast_lin.h"
#include "namid/certify/interval.h"

namespace namid::certify {
namespace {

constexpr double kDigits = 1e-8;

at::Tensor table(std::int64_t rows, std::int64_t columns, const auto& entry) {
  auto out = at::empty({rows, columns}, at::kDouble);
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j)
      out[i][j] = entry(static_cast<double>(i), static_cast<double>(j));
  return out;
}

AffineNetwork golden_network() {
  const auto a1 = table(5, 4, [](auto i, auto j) { return std::sin(.7 * i + .4 * j + .3); });
  const auto a2 = table(4, 5, [](auto i, auto j) { return std::sin(.5 * i * i + .9 * j); });
  const auto a3 = table(3, 4, [](auto i, auto j) { return std::cos(.8 * i + .6 * j * (i + 1)); });
  const auto b1 = -0.5 * a1.sum(1) + 0.1 * at::arange(5, at::kDouble).cos();
  const auto b2 = 0.1 * (2 * at::arange(4, at::kDouble)).sin() - 0.1;
  return layered({{a1, b1}, {a2, b2}, {a3, at::tensor({.3, .1, -.1}, at::kDouble)}});
}

Bench golden_bench(bool box = true) {
  return {golden_network(),
          at::tensor({.2, .95, .5, .6}, at::kDouble).view({1, 4}),
          at::zeros(1, at::kLong),
          {.epsilon = .12},
          box};
}

void expect_near(const at::Tensor& actual, const std::vector<double>& expected) {
  const auto wanted = at::tensor(expected, at::kDouble);
  EXPECT_LE((actual.flatten() - wanted).abs().max().item<double>(), kDigits) << actual;
}

TEST(GoldenBounds, LogitsAreTheSpecifications) {
  const auto bench = golden_bench();
  expect_near(forward(bench.network, bench.set.x), {1.06841581, -.19642818, -.54295822});
}

TEST(GoldenBounds, Interval) {
  const auto bench = golden_bench();
  const auto known = intermediate_bounds(bench.problem(), Slopes::constant);
  expect_near(known.bounds[1].lower, {.06157857, -.10722082, -.24985646, -.37650709, -.5423083});
  expect_near(known.bounds[1].upper, {.69530899, .69002124, .33594184, -.03723324, -.08775209});
  expect_near(known.bounds[3].lower, {-.1, .02045208, -.32523568, -1.34085094});
  expect_near(known.bounds[3].upper, {.76766838, 1.25477346, .62164954, -.18248796});
  expect_near(interval(bench.problem(), bench.spec.rows), {.2253909, .37065922});
}

TEST(GoldenBounds, FastLin) {
  const auto bench = golden_bench();
  const auto rows = bench.spec.rows;
  expect_near(fast_lin(bench.problem(), rows, {.intersect = false}), {-.11826363, -.11485983});
  expect_near(fast_lin(bench.problem(), rows), {-.16213964, -.21030346});
}

TEST(GoldenBounds, FastLinWithoutTheBoxIsTheDualNetworks) {
  const auto bench = golden_bench(false);
  expect_near(fast_lin(bench.problem(), bench.spec.rows, {.intersect = false}),
              {-.12762698, -.14553022});
}

TEST(GoldenBounds, Crown) {
  const auto bench = golden_bench();
  const auto alone = crown(bench.problem(), bench.spec.rows, {.intersect = false});
  expect_near(alone.known.bounds[3].lower, {-.42731107, -.27152791, -.14533953, -1.33520244});
  expect_near(alone.known.bounds[3].upper, {.76766838, 1.25477346, .45541202, -.10528001});
  expect_near(crown(bench.problem(), bench.spec.rows).bounds, {-.25644231, -.53870558});
}

/// The smallest margins of all corners of the set: no bound may exceed them.
at::Tensor corner_margins(const Bench& bench) {
  auto least = at::full(2, INFINITY, at::kDouble);
  for (int corner = 0; corner < 16; ++corner) {
    auto x = bench.set.lower.clone();
    for (int i = 0; i < 4; ++i)
      if (corner >> i & 1) x[0][i] = bench.set.upper[0][i];
    const auto z = forward(bench.network, x);
    least = at::minimum(least, bench.spec.rows.lambda.mv(z[0]));
  }
  return least;
}

TEST(GoldenBounds, AlphaCrownReachesWhatItShouldAndNoMoreThanTheCornersAllow) {
  const auto bench = golden_bench();
  const auto start = crown(bench.problem(), bench.spec.rows);
  const auto never = at::full(2, INFINITY, at::kDouble);
  const auto bounds = alpha_crown(bench.problem(), bench.spec.rows, start.known, never);
  const auto best = at::maximum(bounds, interval(bench.problem(), bench.spec.rows));
  EXPECT_GE(best[0].item<double>(), .22539);
  EXPECT_GE(best[1].item<double>(), .43458);
  const auto corners = corner_margins(bench);
  // The second is printed as .43665285 elsewhere; NumPy in float64 has .4366528646, too.
  expect_near(corners, {.2253909, .43665286});
  EXPECT_TRUE((best <= corners + 1e-9).all().item<bool>()) << best << corners;
}

}  // namespace
}  // namespace namid::certify
