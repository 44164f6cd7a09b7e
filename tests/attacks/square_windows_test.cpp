// SPDX-License-Identifier: Apache-2.0
// The same windows for all rows.
#include "attacks/toy.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/square.h"
#include "namid/attacks/square_sampler.h"

namespace namid::attacks {
namespace {

SampleIds ids_from(std::uint64_t first, std::int64_t count) {
  SampleIds ids;
  for (std::int64_t i = 0; i < count; ++i) ids.push_back(first + static_cast<std::uint64_t>(i));
  return ids;
}

SquareSampler sharing(const at::Tensor& x, const SampleIds& ids, const Budget& budget,
                      const Context& context, std::uint32_t restart = 0) {
  return {x, ids, restart, {.budget = budget, .windows = Windows::shared}, context};
}

/// (N, H, W): where a proposal differs from the best points.
at::Tensor differing(const at::Tensor& x_new, const at::Tensor& best) {
  return (x_new - best).abs().gt(1e-6).any(1);
}

TEST(SquareWindows, AreThoseOfSeedRestartAndIterationForAnySamplesInAnyOrder) {
  const auto x = at::full({4, 2, 9, 14}, 0.5F);
  const Context context{.random = Random(3, "square")}, other{.random = Random(4, "square")};
  const auto changed = [&](const SampleIds& ids, const Context& by, std::uint32_t restart) {
    std::vector<at::Tensor> all;
    const auto rows = x.slice(0, 0, static_cast<std::int64_t>(ids.size())).contiguous();
    const auto sampler = sharing(rows, ids, {Norm::linf, 0.3}, by, restart);
    for (int iteration = 200; iteration < 220; ++iteration) {
      const auto where = differing(sampler.proposal(rows, iteration), rows);
      EXPECT_TRUE(at::equal(where, where.slice(0, 0, 1).expand_as(where))) << iteration;
      all.push_back(where[0]);
    }
    return at::stack(all);
  };
  const auto first = changed({0, 1, 2, 3}, context, 0);
  EXPECT_TRUE(at::equal(changed({9, 2}, context, 0), first)) << "other samples";
  EXPECT_FALSE(at::equal(changed({0, 1, 2, 3}, other, 0), first)) << "other seed";
  EXPECT_FALSE(at::equal(changed({0, 1, 2, 3}, context, 1), first)) << "other restart";
  EXPECT_GT(std::get<0>(at::unique_dim(first.flatten(1), 0)).size(0), 10) << "other iterations";
}

TEST(SquareWindows, TurnsAreSharedAndSignsAreNot) {
  const auto x = at::full({12, 3, 12, 12}, 0.5F);
  const Context context{.random = Random(1, "square")};
  for (const auto norm : {Norm::l2, Norm::l1}) {
    const auto sampler = sharing(x, ids_from(0, 12), {norm, 0.3}, context);
    bool other_signs = false;
    for (int iteration = 1001; iteration < 1021; ++iteration) {
      const auto delta = sampler.proposal(x, iteration) - x;  // from nothing: ±η in window 1
      EXPECT_TRUE(
          at::allclose(delta.abs(), delta.abs().slice(0, 0, 1).expand_as(delta), 1e-4, 1e-6))
          << to_string(norm) << " " << iteration;
      const auto along = (delta * delta.slice(0, 0, 1).sign()).sum({2, 3});
      other_signs |= (along < 0).any().item<bool>();
    }
    EXPECT_TRUE(other_signs) << to_string(norm);
  }
}

TEST(SquareWindows, ReachTheLastRowAndColumn) {
  const auto x = at::full({1, 1, 12, 9}, 0.5F);
  const Context context{.random = Random(0, "square")};
  for (const auto norm : kNorms) {
    // Large in L1: projection onto a small ball would leave the tiles' peaks alone.
    const auto sampler = sharing(x, {0}, {norm, norm == Norm::l1 ? 30 : 0.3}, context);
    auto hits = at::zeros({12, 9}, at::kLong);
    for (int iteration = 1001; iteration < 1401; ++iteration)
      hits += differing(sampler.proposal(x, iteration), x)[0];
    EXPECT_GT(hits.min().item<std::int64_t>(), 0) << to_string(norm);
  }
}

}  // namespace
}  // namespace namid::attacks
