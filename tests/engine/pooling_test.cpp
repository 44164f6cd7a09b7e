// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/pooling.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>

namespace namid::engine {
namespace {

struct Pool {
  models::Window window;
  std::int64_t channels = 19, height = 9, width = 7;  // of the input; 19: a block of 16 and a rest
};

const std::vector<Pool> kPools = {
    {{.kernel = {2, 2}, .stride = {2, 2}}},
    {{.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}},
    {{.kernel = {3, 2}, .stride = {2, 3}, .padding = {1, 0}, .ceil_mode = true}},
    {{.kernel = {9, 7}, .stride = {1, 1}}, 3},
    {{.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}, .count_include_pad = true}, 16}};

at::Tensor nhwc(const at::Tensor& x) {
  return x.permute({0, 2, 3, 1}).contiguous();
}
at::Tensor nchw(const at::Tensor& x) {
  return x.permute({0, 3, 1, 2}).contiguous();
}

at::Tensor by_torch(const Pool& pool, bool average, const at::Tensor& x) {
  const auto& w = pool.window;
  if (average)
    return at::avg_pool2d(x, w.kernel, w.stride, w.padding, w.ceil_mode, w.count_include_pad);
  return at::max_pool2d(x, w.kernel, w.stride, w.padding, w.dilation, w.ceil_mode);
}

/// Output and gradient of sum(along · output) as PyTorch has them and as they are here.
void expect_same_pool(const Pool& pool, bool average, const at::Tensor& x) {
  const c10::AutoGradMode with_graph(true);
  const auto leaf = x.clone().requires_grad_(true);
  const auto expected = by_torch(pool, average, leaf);
  const auto along = at::arange(expected.numel(), at::kFloat).sin().view(expected.sizes());
  const auto by_input = torch::autograd::grad({(expected * along).sum()}, {leaf}).front();
  const Step input{.channels = pool.channels, .height = pool.height, .width = pool.width};
  const Step step{.op = average ? StepOp::avg_pool : StepOp::max_pool,
                  .channels = pool.channels,
                  .height = expected.size(2),
                  .width = expected.size(3),
                  .window = pool.window};
  const auto y = at::empty_like(nhwc(expected.detach())), ours = at::empty_like(nhwc(x));
  const auto places = at::empty(y.sizes(), at::kByte);
  if (average) {
    average_windows(step, input, nhwc(x), y);
    spread_averages(step, input, nhwc(along), ours);
    EXPECT_LE((nchw(y) - expected).abs().max().item<double>(), 1e-6);
  } else {
    largest_of_windows(step, input, nhwc(x), y, places);
    scatter_to_largest(step, input, nhwc(along), places, ours);
    EXPECT_TRUE(at::allclose(nchw(y), expected, 0, 0, true));
  }
  EXPECT_LE((nchw(ours) - by_input).abs().max().item<double>(), 1e-6);
}

at::Tensor values(const Pool& pool) {
  const auto count = 2 * pool.channels * pool.height * pool.width;
  return ((at::arange(count, at::kFloat) * 0.618F).frac() * 8)
      .round()  // ties
      .view({2, pool.channels, pool.height, pool.width});
}

TEST(Pooling, MeansAndTheirGradientsAreThoseOfPyTorch) {
  for (const auto& pool : kPools) expect_same_pool(pool, true, values(pool));
}

TEST(Pooling, LargestValuesAndTheirGradientsAreThoseOfPyTorch) {
  for (const auto& pool : kPools)
    if (!pool.window.count_include_pad) expect_same_pool(pool, false, values(pool));
}

TEST(Pooling, NanIsLarger) {
  auto x = values(kPools[0]);
  x.view(-1).slice(0, 0, std::nullopt, 11).fill_(std::numeric_limits<float>::quiet_NaN());
  expect_same_pool(kPools[0], false, x);
}

}  // namespace
}  // namespace namid::engine
