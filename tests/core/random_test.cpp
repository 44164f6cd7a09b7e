// SPDX-License-Identifier: Apache-2.0
#include "namid/core/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace namid {
namespace {

using Words = std::array<std::uint32_t, 4>;

TEST(Philox, GivesThePublishedKnownAnswers) {  // Random123's known-answer vectors, philox4x32 10
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, DrawsDependOnThePositionAlone) {
  const Random random(7, "train/attack");
  std::array<float, 10> all{}, head{};
  random.uniform({3, 1, 2}, all.data(), 10);
  random.uniform({3, 1, 2}, head.data(), 5);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(all[i], head[i]);
  std::array<float, 10> other{};
  for (const DrawPosition at :
       {DrawPosition{4, 1, 2}, DrawPosition{3, 2, 2}, DrawPosition{3, 1, 3}}) {
    random.uniform(at, other.data(), 10);
    EXPECT_NE(all, other);
  }
  Random(8, "train/attack").uniform({3, 1, 2}, other.data(), 10);
  EXPECT_NE(all, other);
  Random(7, "train/order").uniform({3, 1, 2}, other.data(), 10);
  EXPECT_NE(all, other);
}

TEST(Random, UniformAndNormalHaveTheirMoments) {
  const Random random(1, "moments");
  std::vector<float> draws(200000);
  random.uniform({}, draws.data(), draws.size());
  double mean = 0, square = 0;
  for (const float u : draws) {
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    mean += u, square += double(u) * u;
  }
  EXPECT_NEAR(mean / 200000, 0.5, 5 * std::sqrt(1.0 / 12 / 200000));
  EXPECT_NEAR(square / 200000, 1.0 / 3, 0.004);
  random.normal({}, draws.data(), draws.size());
  mean = square = 0;
  for (const float z : draws) {
    ASSERT_TRUE(std::isfinite(z));
    mean += z, square += double(z) * z;
  }
  EXPECT_NEAR(mean / 200000, 0, 5 / std::sqrt(200000.0));
  EXPECT_NEAR(square / 200000, 1, 5 * std::sqrt(2.0 / 200000));
}

TEST(Random, PermutationIsABijectionThatChangesWithTheEpoch) {
  const Random random(3, "order");
  const auto first = random.permutation(1000, 0);
  EXPECT_EQ(std::set<std::int64_t>(first.begin(), first.end()).size(), 1000u);
  EXPECT_EQ(first, random.permutation(1000, 0));
  EXPECT_NE(first, random.permutation(1000, 1));
  EXPECT_TRUE(random.permutation(0, 0).empty());
}

}  // namespace
}  // namespace namid
