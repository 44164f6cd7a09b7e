// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/square_eta.h"

#include "attacks/toy.h"
#include "namid/attacks/norms.h"

namespace namid::attacks {
namespace {

at::Tensor row(const at::Tensor& values, std::int64_t i) {
  return values[i].to(at::kDouble);
}

std::vector<std::int64_t> sides(std::int64_t height, std::int64_t width, Norm norm) {
  std::vector<std::int64_t> all;
  for (const std::int64_t iteration : {0, 11, 51, 201, 501, 1001, 2001, 4001, 6001, 8001}) {
    const auto window = square_window({.channels = 3, .height = height, .width = width}, norm,
                                      square_share(0.8, iteration));
    EXPECT_EQ(window.rows, window.columns);
    all.push_back(window.rows);
  }
  return all;
}

TEST(SquareEta, RectanglesAreTheGoldenOnes) {
  const auto l2 = square_rectangles(3, 7, Norm::l2), l1 = square_rectangles(3, 7, Norm::l1);
  const auto outer = doubles({.03264, .090667, .221228, .221228, .221228, .090667, .03264});
  auto middle = outer.clone();
  middle[3] = .743471;
  EXPECT_TRUE(at::allclose(row(l2, 0), outer, 0, 1e-6));
  EXPECT_TRUE(at::allclose(row(l2, 1), middle, 0, 1e-6));
  EXPECT_TRUE(at::allclose(row(l2, 2), outer, 0, 1e-6));
  const auto sparse =
      doubles({.00213489, .00888221, .04304051, .04304051, .04304051, .00888221, .00213489});
  auto sparse_middle = sparse.clone();
  sparse_middle[3] = .58957326;
  EXPECT_TRUE(at::allclose(row(l1, 0), sparse, 0, 1e-7));
  EXPECT_TRUE(at::allclose(row(l1, 1), sparse_middle, 0, 1e-7));
  EXPECT_TRUE(at::allclose(row(l1, 2), sparse, 0, 1e-7));
  EXPECT_TRUE(at::allclose(square_rectangles(1, 3, Norm::l1),
                           doubles({.05263158, .89473683, .05263158}).view({1, 3}), 0, 1e-7));
}

TEST(SquareEta, HasUnitNormAndTwoHalvesOfOppositeSign) {
  for (const auto norm : {Norm::l2, Norm::l1}) {
    for (const auto& [rows, columns] : std::vector<std::pair<std::int64_t, std::int64_t>>{
             {1, 1}, {1, 4}, {2, 2}, {3, 3}, {4, 7}, {9, 9}}) {
      const auto eta = square_eta({rows, columns}, norm, false);
      EXPECT_EQ(eta.sizes(), at::IntArrayRef({rows, columns}));
      EXPECT_NEAR(sample_norms(eta.unsqueeze(0), norm).item<double>(), 1, 1e-6);
      EXPECT_TRUE((eta.slice(0, 0, rows / 2) > 0).all().item<bool>());
      EXPECT_TRUE((eta.slice(0, rows / 2) < 0).all().item<bool>());
      const auto turned = square_eta({rows, columns}, norm, true);
      EXPECT_EQ(turned.sizes(), eta.sizes());
      EXPECT_TRUE((turned.slice(1, 0, columns / 2) > 0).all().item<bool>());
      EXPECT_TRUE(at::equal(turned, square_eta({columns, rows}, norm, false).t()));
    }
  }
}

TEST(SquareEta, WindowsFollowTheScheduleOfTheReference) {
  using Sides = std::vector<std::int64_t>;
  EXPECT_EQ(sides(32, 32, Norm::linf), Sides({29, 20, 14, 10, 7, 5, 4, 3, 2, 1}));
  EXPECT_EQ(sides(64, 64, Norm::linf), Sides({57, 40, 29, 20, 14, 10, 7, 5, 4, 3}));
  EXPECT_EQ(sides(32, 32, Norm::l2), Sides({29, 21, 15, 11, 7, 5, 5, 3, 3, 3}))
      << "odd, at least 3";
  EXPECT_EQ(sides(32, 32, Norm::l1), sides(32, 32, Norm::l2));
}

TEST(SquareEta, TheShareHalvesAfterTheIterationsOfTheSchedule) {
  double share = 0.8;
  std::int64_t before = 0;
  for (const std::int64_t last : {10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000, 9'999'999}) {
    EXPECT_EQ(square_share(0.8, before), share) << before;
    EXPECT_EQ(square_share(0.8, last), share) << last;
    before = last + 1;
    share /= 2;
  }
}

TEST(SquareEta, WindowsFitIntoSmallAndRectangularImages) {
  for (const auto norm : {Norm::linf, Norm::l2, Norm::l1}) {
    for (std::int64_t height = 1; height < 9; ++height) {
      for (std::int64_t width = 1; width < 9; ++width) {
        for (const double share : {1.0, 0.3, 0.001}) {
          const auto window = square_window({2, height, width}, norm, share);
          EXPECT_GE(std::min(window.rows, window.columns), 1);
          EXPECT_LE(window.rows, height);
          EXPECT_LE(window.columns, width);
        }
      }
    }
  }
  EXPECT_EQ(square_window({3, 4, 20}, Norm::linf, 0.8).columns, 4) << "square, at most min(H, W)";
}

TEST(SquareEta, AVectorHasSegmentsForWindows) {
  const auto wide = square_window({1, 1, 100}, Norm::linf, 0.2);
  EXPECT_EQ(wide.rows, 1);
  EXPECT_EQ(wide.columns, 20);
  const auto tall = square_window({1, 100, 1}, Norm::l2, 0.2);
  EXPECT_EQ(tall.rows, 21) << "odd";
  EXPECT_EQ(tall.columns, 1);
}

TEST(SquareEta, ImagesAreTheLastTwoDimensions) {
  const auto size = [](const Shape& shape) {
    const auto image = image_size(at::zeros(shape));
    return Shape{image.channels, image.height, image.width};
  };
  EXPECT_EQ(size({7, 12}), Shape({1, 1, 12}));
  EXPECT_EQ(size({7}), Shape({1, 1, 1}));
  EXPECT_EQ(size({7, 5, 6}), Shape({1, 5, 6}));
  EXPECT_EQ(size({7, 3, 5, 6}), Shape({3, 5, 6}));
  EXPECT_EQ(size({7, 2, 3, 5, 6}), Shape({6, 5, 6}));
}

}  // namespace
}  // namespace namid::attacks
