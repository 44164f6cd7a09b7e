// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/winograd_weight_gradient.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "tests/engine/convolutions.h"

namespace namid::engine {
namespace {

struct WeightCase {
  std::int64_t n, height, width, in, out, stride;
};

void PrintTo(const WeightCase& c, std::ostream* out) {
  *out << c.n << "x" << c.height << "x" << c.width << " " << c.in << "->" << c.out << " by "
       << c.stride;
}

at::Tensor run(const WeightCase& c, const at::Tensor& x, const at::Tensor& gradient,
               const at::Tensor& to, InstructionSet set = best_instruction_set()) {
  Workspace workspace;
  WinogradWeightGradient(c.in, c.out, c.stride, set)
      .run(x.const_data_ptr<float>(), gradient.const_data_ptr<float>(), {c.n, c.height, c.width},
           to, workspace);
  return to;
}

class WeightGradients : public ::testing::TestWithParam<WeightCase> {
 protected:
  void SetUp() override {
    const auto& c = GetParam();
    at::manual_seed(5);
    const auto after = [&](std::int64_t size) { return (size + c.stride - 1) / c.stride; };
    x_ = at::randn({c.n, c.height, c.width, c.in});
    gradient_ = at::randn({c.n, after(c.height), after(c.width), c.out});
  }
  at::Tensor empty() const { return at::full({GetParam().out, GetParam().in, 3, 3}, 1e30f); }

  at::Tensor x_, gradient_;  // NHWC
};

TEST_P(WeightGradients, AreThoseOfTheDirectConvolutionInFloat64) {
  const auto& c = GetParam();
  const auto exact = std::get<1>(at::convolution_backward(
      gradient_.permute({0, 3, 1, 2}).to(at::kDouble), x_.permute({0, 3, 1, 2}).to(at::kDouble),
      empty().to(at::kDouble), std::nullopt, {c.stride, c.stride}, {1, 1}, {1, 1}, false, {0, 0}, 1,
      {false, true, false}));
  for (const auto set : instruction_sets()) {
    EXPECT_LT(error_of(run(c, x_, gradient_, empty(), set), exact), 1e-5) << to_string(set);
    const auto strided = empty().contiguous(at::MemoryFormat::ChannelsLast);
    EXPECT_LT(error_of(run(c, x_, gradient_, strided, set), exact), 1e-5) << to_string(set);
  }
}

TEST_P(WeightGradients, DoNotDependOnTheNumberOfThreads) {
  const auto& c = GetParam();
  const auto expected = run(c, x_, gradient_, empty());
  const auto threads = at::get_num_threads();
  for (const int other : {1, 3}) {
    at::set_num_threads(other);
    EXPECT_TRUE(at::equal(run(c, x_, gradient_, empty()), expected)) << other;
  }
  at::set_num_threads(threads);
}

TEST_P(WeightGradients, HaveTheSameBitsByAvx2AndAvx512) {
  if (best_instruction_set() != InstructionSet::avx512) GTEST_SKIP() << "needs AVX-512";
  const auto& c = GetParam();
  EXPECT_TRUE(at::equal(run(c, x_, gradient_, empty(), InstructionSet::avx2),
                        run(c, x_, gradient_, empty(), InstructionSet::avx512)));
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, WeightGradients,
    ::testing::Values(WeightCase{2, 8, 8, 16, 16, 1}, WeightCase{3, 7, 5, 32, 48, 1},
                      WeightCase{1, 1, 1, 16, 32, 1}, WeightCase{1, 4, 9, 80, 16, 1},
                      WeightCase{20, 16, 16, 16, 32, 1},  // more than one chunk
                      WeightCase{2, 8, 8, 16, 16, 2}, WeightCase{3, 7, 5, 32, 48, 2},
                      WeightCase{1, 1, 2, 16, 16, 2}, WeightCase{40, 16, 16, 16, 32, 2}));

}  // namespace
}  // namespace namid::engine
