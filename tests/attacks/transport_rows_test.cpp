// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/transport_rows.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <numeric>

#include "attacks/toy.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/transport.h"

namespace namid::attacks {
namespace {

constexpr std::array kAllInstructions{engine::InstructionSet::portable,
                                      engine::InstructionSet::avx2, engine::InstructionSet::avx512};

/// A row's simplex projection in float64, by trying every size of its support.
std::vector<double> tried(std::vector<double> v, double total) {
  auto falling = v;
  std::sort(falling.rbegin(), falling.rend());
  double theta = falling[0] - total, sum = 0;
  for (std::size_t size = 1; size <= falling.size(); ++size) {
    sum += falling[size - 1];
    const double of_size = (sum - total) / static_cast<double>(size);
    if (falling[size - 1] > of_size) theta = of_size;
  }
  for (auto& entry : v) entry = std::max(entry - theta, 0.0);
  return v;
}

struct RowCase {
  std::vector<std::int64_t> shape;
  int kernel;
};

class TransportRows : public ::testing::TestWithParam<RowCase> {
 protected:
  void SetUp() override {
    const auto& [shape, k] = GetParam();
    x = images(3, shape);
    x[0][0][0].zero_();  // pixels without mass
    costs = move_costs(shape[1], shape[2], k);
    auto moves = x.sizes().vec();
    moves.push_back(k * k);
    plan = plan_of_rest(x, k) + wave(moves, 0.4, 0.83);
    plan.select(1, 0).select(1, 1).fill_(0.25);  // ties
    limit = mass_of(x) * 0.05;
  }
  /// Sort and bisection by whole tensors.
  at::Tensor projected(const Bisection& bisection) const {
    const auto at = [&](const at::Tensor& lambda) {
      return simplex_projection(plan - costs * per_sample(lambda, plan).to(at::kFloat), x);
    };
    return at(bisected(
        [&](const at::Tensor& lambda) { return transport_cost(at(lambda), costs) - limit; },
        bisection));
  }
  at::Tensor softened(double gamma, const at::Tensor& lambda) const {
    const auto score = (plan - costs * per_sample(lambda, plan).to(at::kFloat)) / gamma;
    return at::softmax(score.masked_fill(costs >= kOutside, -INFINITY).to(at::kDouble), -1) *
           x.unsqueeze(-1);
  }
  template <class Excess>
  at::Tensor bisected(const Excess& excess, const Bisection& bisection) const {
    const auto high = (plan.abs().flatten(1).amax(1) * 2 + x.flatten(1).amax(1)).to(at::kDouble);
    return bisected(high, excess, bisection);
  }
  template <class Excess>
  at::Tensor bisected(at::Tensor high, const Excess& excess, const Bisection& bisection) const {
    auto low = at::zeros_like(high);
    auto open = at::ones_like(high, at::kBool);
    for (int i = 0; i < bisection.iterations; ++i) {
      const auto middle = (low + high) / 2, over = excess(middle);
      low = at::where(open & (over > 0), middle, low);
      high = at::where(open & (over <= 0), middle, high);
      open = open & (over.abs() >= bisection.gradient_tolerance) &
             (high - low >= bisection.interval_tolerance);
    }
    return high;
  }
  at::Tensor x, costs, plan, limit;
};

TEST_P(TransportRows, TheDualProjectionIsThatOfWholeTensors) {
  for (const int iterations : {5, 15, 50}) {
    const Bisection bisection{.iterations = iterations};
    const auto expected = projected(bisection);
    const auto found = dual_projection(plan, x, costs, limit, bisection);
    EXPECT_LT((found - expected).abs().max().item<double>(), 1e-6) << iterations;
    EXPECT_TRUE(at::allclose(transport_cost(found, costs), transport_cost(expected, costs), 1e-6));
    EXPECT_EQ(found.sizes(), plan.sizes());
  }
}

TEST_P(TransportRows, AProjectionIsTheOneOfTheBestSupport) {
  const auto lambda = doubles({0, 0.3, 2.5});
  const auto found = plan_at(lambda, plan, x, costs).flatten(0, 3);
  const auto shifted = (plan - costs * per_sample(lambda, plan).to(at::kFloat)).flatten(0, 3);
  const auto totals = x.flatten();
  for (std::int64_t row = 0; row < totals.numel(); row += 3) {
    const auto v = shifted[row].to(at::kDouble).contiguous(), p = found[row].contiguous();
    const auto expected =
        tried({v.data_ptr<double>(), v.data_ptr<double>() + v.numel()}, totals[row].item<double>());
    for (std::int64_t k = 0; k < v.numel(); ++k)
      ASSERT_NEAR(p.data_ptr<float>()[k], expected[static_cast<std::size_t>(k)], 1e-6)
          << "row " << row << ", move " << k;
  }
}

TEST_P(TransportRows, TheOracleIsASoftmax) {
  for (const double gamma : {1.0, 1e-2, 1e-3}) {
    const PackedRows rows(plan, x, costs, gamma);
    for (const double value : {0.0, 0.2, 4.0}) {
      const auto lambda = at::full({3}, value, at::kDouble);
      const auto expected = softened(gamma, lambda);
      EXPECT_LT((rows.plan(lambda) - expected).abs().max().item<double>(), 1e-6) << gamma;
      EXPECT_TRUE(at::allclose(rows.cost(lambda), transport_cost(expected, costs), 1e-5, 1e-9));
    }
  }
}

TEST_P(TransportRows, TheOracleIsThatOfWholeTensors) {
  const auto reach = (x.unsqueeze(-1) * at::where(costs < kOutside, costs, 0)).flatten(1).sum(1);
  for (const double gamma : {1e-1, 1e-2, 1e-3}) {
    const auto entropy = (reach.to(at::kDouble) / limit).clamp_min(1e-30).log() * gamma;
    const auto high = (plan.abs().flatten(1).amax(1).to(at::kDouble) * 2 + entropy).clamp_min(0);
    const auto excess = [&](const at::Tensor& lambda) {
      return transport_cost(softened(gamma, lambda), costs) - limit;
    };
    const auto expected = softened(gamma, bisected(high, excess, {}));
    const auto found = entropic_oracle(plan, x, costs, limit, gamma, {});
    EXPECT_LT((found - expected).abs().max().item<double>(), 1e-6) << gamma;
  }
}

TEST_P(TransportRows, WholeTensorsOfOtherTypesDoTheSame) {
  const auto wide = [](const at::Tensor& values) { return values.to(at::kDouble); };
  const auto near = [](const at::Tensor& a, const at::Tensor& b) {
    return (a - b).abs().max().item<double>() < 1e-6;
  };
  const int kernel = GetParam().kernel;
  EXPECT_TRUE(near(dual_projection(plan, x, costs, limit, {}),
                   dual_projection(wide(plan), wide(x), wide(costs), limit, {})));
  EXPECT_TRUE(near(entropic_oracle(plan, x, costs, limit, 0.1, {}),
                   entropic_oracle(wide(plan), wide(x), wide(costs), limit, 0.1, {})));
  const auto whole = (plan * 100).round();
  EXPECT_TRUE(
      at::equal(arrived(whole, kernel), arrived(whole.to(at::kLong), kernel).to(at::kFloat)));
  const auto gradient = whole.select(4, 0);
  EXPECT_TRUE(at::equal(gathered(gradient, kernel),
                        gathered(gradient.to(at::kLong), kernel).to(at::kFloat)));
}

TEST_P(TransportRows, EveryInstructionSetGivesTheSameBits) {
  const auto lambda = doubles({0.01, 0.4, 1.3});
  for (const double gamma : {0.0, 1e-2}) {
    const PackedRows base(plan, x, costs, gamma, engine::InstructionSet::portable);
    for (const auto wider : kAllInstructions) {
      if (wider > engine::best_instruction_set()) continue;
      const PackedRows rows(plan, x, costs, gamma, wider);
      EXPECT_TRUE(same_bits(rows.plan(lambda), base.plan(lambda)));
      EXPECT_TRUE(at::equal(rows.cost(lambda), base.cost(lambda)));
    }
  }
}

TEST_P(TransportRows, NeitherNeighboursNorThreadsNorLayoutMoveABit) {
  const auto lambda = doubles({0.01, 0.4, 1.3});
  const PackedRows all(plan, x, costs, 0);
  const auto cost = all.cost(lambda), projected = all.plan(lambda);
  const int threads = at::get_num_threads();
  at::set_num_threads(threads == 1 ? 2 : 1);
  EXPECT_TRUE(at::equal(all.cost(lambda), cost));
  at::set_num_threads(threads);
  for (std::int64_t i = 0; i < 3; ++i) {
    const PackedRows alone(plan.narrow(0, i, 1), x.narrow(0, i, 1), costs, 0);
    EXPECT_TRUE(at::equal(alone.cost(lambda.narrow(0, i, 1)), cost.narrow(0, i, 1)));
    EXPECT_TRUE(same_bits(alone.plan(lambda.narrow(0, i, 1)), projected.narrow(0, i, 1)));
  }
  const auto in_planes = plan.movedim(4, 2).contiguous().movedim(2, 4);
  EXPECT_TRUE(same_bits(PackedRows(in_planes, x, costs, 0).plan(lambda), projected));
}

INSTANTIATE_TEST_SUITE_P(Shapes, TransportRows,
                         ::testing::Values(RowCase{{1, 28, 28}, 5}, RowCase{{3, 8, 8}, 4},
                                           RowCase{{2, 5, 7}, 3}, RowCase{{1, 3, 2}, 7},
                                           RowCase{{1, 4, 4}, 1}),
                         [](const auto& info) {
                           return "K" + std::to_string(info.param.kernel) + "Height" +
                                  std::to_string(info.param.shape[1]);
                         });

TEST(TransportRowsOnTheCpu, TakeFloat32Alone) {
  EXPECT_TRUE(PackedRows::take(at::zeros({1, 1, 2, 2, 9})));
  EXPECT_FALSE(PackedRows::take(at::zeros({1, 1, 2, 2, 9}, at::kDouble)));
}

}  // namespace
}  // namespace namid::attacks
