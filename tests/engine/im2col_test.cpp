// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/im2col.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "tests/engine/convolutions.h"

namespace namid::engine {
namespace {

struct Lowered {
  std::int64_t n, height, width, in, out;
  models::Window window;
};

void PrintTo(const Lowered& c, std::ostream* out) {
  *out << c.n << "x" << c.height << "x" << c.width << " " << c.in << "->" << c.out << ", "
       << c.window.kernel[0] << "x" << c.window.kernel[1] << " stride " << c.window.stride[0] << " "
       << c.window.stride[1] << " padding " << c.window.padding[0] << " " << c.window.padding[1];
}

at::Tensor layer_weight(const Lowered& c) {
  at::manual_seed(7);
  const auto& k = c.window.kernel;
  return at::randn({c.out, c.in, k[0], k[1]}) / std::sqrt(static_cast<double>(c.in * k[0] * k[1]));
}

/// Images, NHWC, and what float64 says of them: results and the input gradient for `gradient`.
struct Exact {
  at::Tensor x, weight, y, gradient, by_input;
};

Exact exact_of(const Lowered& c) {
  at::manual_seed(1);
  Exact e{.x = at::randn({c.n, c.height, c.width, c.in}), .weight = layer_weight(c)};
  const auto x = e.x.to(at::kDouble).requires_grad_();
  const auto& w = c.window;
  const auto y = at::conv2d(x.permute({0, 3, 1, 2}), e.weight.to(at::kDouble), {}, w.stride,
                            w.padding, w.dilation);
  e.gradient = at::randn(y.permute({0, 2, 3, 1}).sizes());
  y.backward(e.gradient.permute({0, 3, 1, 2}).to(at::kDouble));
  e.y = y.detach().permute({0, 2, 3, 1}).contiguous();
  e.by_input = x.grad();
  return e;
}

Extent extent_of(const at::Tensor& x) {
  return {x.size(0), x.size(1), x.size(2)};
}

at::Tensor forward_of(const Im2colConvolution& convolution, const Exact& e, const at::Tensor& x,
                      const Epilogue& epilogue = {}) {
  auto sizes = e.y.sizes().vec();
  sizes[0] = x.size(0);
  auto y = at::full(sizes, 1e30f);
  Workspace workspace;
  convolution.forward(x.const_data_ptr<float>(), y.data_ptr<float>(), extent_of(x), epilogue,
                      workspace);
  return y;
}

at::Tensor backward_of(const Im2colConvolution& convolution, const Exact& e,
                       const at::Tensor& gradient, const Epilogue& epilogue = {}) {
  auto sizes = e.x.sizes().vec();
  sizes[0] = gradient.size(0);
  auto y = at::full(sizes, 1e30f);
  Workspace workspace;
  convolution.input_gradient(gradient.const_data_ptr<float>(), y.data_ptr<float>(), extent_of(y),
                             epilogue, workspace);
  return y;
}

const Lowered kStem{3, 9, 11, 3, 64, {.kernel = {3, 3}, .padding = {1, 1}}};
const Lowered kShortcut{2, 7, 10, 32, 48, {.stride = {2, 2}}};
const Lowered kLeNet{2, 14, 14, 32, 64, {.kernel = {5, 5}, .padding = {2, 2}}};

class Im2colLayers : public ::testing::TestWithParam<Lowered> {};

TEST_P(Im2colLayers, AgreeWithADirectConvolutionInFloat64) {
  const auto e = exact_of(GetParam());
  for (const auto set : instruction_sets()) {
    const Im2colConvolution convolution(e.weight, GetParam().window, set);
    EXPECT_LT(error_of(forward_of(convolution, e, e.x), e.y), 3e-6) << to_string(set);
    EXPECT_LT(error_of(backward_of(convolution, e, e.gradient), e.by_input), 3e-6)
        << to_string(set);
  }
}

TEST_P(Im2colLayers, NeighboursAndThreadsChangeNoBit) {
  const auto e = exact_of(GetParam());
  const Im2colConvolution convolution(e.weight, GetParam().window);
  const int threads = at::get_num_threads();
  at::set_num_threads(2);
  const auto y = forward_of(convolution, e, e.x),
             by_input = backward_of(convolution, e, e.gradient);
  at::set_num_threads(1);
  for (std::int64_t i = 0; i < e.x.size(0); ++i) {
    const auto one = [&](const at::Tensor& all) { return all.slice(0, i, i + 1).contiguous(); };
    EXPECT_TRUE(at::equal(forward_of(convolution, e, one(e.x)), one(y))) << i;
    EXPECT_TRUE(at::equal(backward_of(convolution, e, one(e.gradient)), one(by_input))) << i;
  }
  at::set_num_threads(threads);
}

TEST_P(Im2colLayers, InstructionSetsWithFusedMultiplyAddAgreeBitForBit) {
  if (best_instruction_set() != InstructionSet::avx512) GTEST_SKIP() << "no AVX-512";
  const auto e = exact_of(GetParam());
  const Im2colConvolution wide(e.weight, GetParam().window, InstructionSet::avx512),
      narrow(e.weight, GetParam().window, InstructionSet::avx2);
  EXPECT_TRUE(at::equal(forward_of(wide, e, e.x), forward_of(narrow, e, e.x)));
  EXPECT_TRUE(at::equal(backward_of(wide, e, e.gradient), backward_of(narrow, e, e.gradient)));
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, Im2colLayers,
    ::testing::Values(
        kStem, kShortcut, kLeNet, Lowered{1, 1, 1, 1, 16, {}},
        Lowered{1, 1, 2, 5, 16, {.kernel = {3, 3}, .padding = {1, 1}}},
        Lowered{2, 28, 28, 1, 32, {.kernel = {5, 5}}},
        Lowered{2, 23, 20, 3, 16, {.kernel = {7, 7}, .stride = {2, 2}, .padding = {3, 3}}},
        Lowered{3, 6, 5, 17, 80, {.kernel = {1, 3}, .stride = {1, 3}, .padding = {0, 2}}},
        Lowered{2, 4, 3, 2, 16, {.kernel = {2, 2}, .stride = {3, 1}, .padding = {3, 3}}},
        Lowered{1, 8, 8, 160, 320, {}}));

TEST(Im2col, RepackTakesTheNewWeightsInAnyOrder) {
  const auto e = exact_of(kStem);
  Im2colConvolution convolution(at::zeros_like(e.weight), kStem.window);
  EXPECT_EQ(forward_of(convolution, e, e.x).abs().max().item<float>(), 0);
  convolution.repack(e.weight.contiguous(at::MemoryFormat::ChannelsLast));
  const Im2colConvolution expected(e.weight, kStem.window);
  EXPECT_TRUE(at::equal(forward_of(convolution, e, e.x), forward_of(expected, e, e.x)));
  EXPECT_TRUE(
      at::equal(backward_of(convolution, e, e.gradient), backward_of(expected, e, e.gradient)));
}

TEST(Im2col, SupportsWhatItComputes) {
  const auto weight = at::zeros({32, 5, 3, 3});
  const models::Window fits{.kernel = {3, 3}, .stride = {4, 1}, .padding = {0, 2}};
  EXPECT_TRUE(Im2colConvolution::supports(weight, fits));
  EXPECT_FALSE(Im2colConvolution::supports(at::zeros({24, 5, 3, 3}), fits));
  EXPECT_FALSE(Im2colConvolution::supports(weight.to(at::kDouble), fits));
  auto window = fits;
  window.dilation = {2, 1};
  EXPECT_FALSE(Im2colConvolution::supports(weight, window));
  window = fits;
  window.groups = 5;
  EXPECT_FALSE(Im2colConvolution::supports(weight, window));
}

TEST(Im2col, PaysForFirstLayersBackwardsAndWherePixelsAreLeftOut) {
  const models::Window square{.kernel = {3, 3}, .padding = {1, 1}}, half{.stride = {2, 2}};
  const auto first = at::zeros({64, 3, 3, 3}), wide = at::zeros({64, 32, 1, 1});
  EXPECT_TRUE(Im2colConvolution::pays(first, square, true));
  EXPECT_FALSE(Im2colConvolution::pays(first, square, false));
  EXPECT_TRUE(Im2colConvolution::pays(wide, half, true));
  EXPECT_TRUE(Im2colConvolution::pays(wide, half, false));
  EXPECT_FALSE(Im2colConvolution::pays(wide, {}, true));
  EXPECT_FALSE(Im2colConvolution::pays(at::zeros({24, 3, 3, 3}), square, true));
}

class Im2colEpilogue : public ::testing::TestWithParam<InstructionSet> {
 protected:
  void SetUp() override {
    if (GetParam() > best_instruction_set()) GTEST_SKIP() << "not on this machine";
  }
};

TEST_P(Im2colEpilogue, ForwardAddsBiasAndResidualAndKeepsSigns) {
  const auto e = exact_of(kStem);
  const Im2colConvolution convolution(e.weight, kStem.window, GetParam());
  const auto bias = at::randn({kStem.out}), residual = at::randn(e.y.sizes());
  const auto plain = forward_of(convolution, e, e.x) + bias + residual;
  std::vector<std::uint8_t> bits(static_cast<std::size_t>(bit_bytes(plain.numel())), 0xA5);
  const Epilogue epilogue{.bias = bias.const_data_ptr<float>(),
                          .residual = residual.const_data_ptr<float>(),
                          .relu = true,
                          .relu_bits = bits.data()};
  EXPECT_TRUE(at::equal(forward_of(convolution, e, e.x, epilogue), plain.relu()));
  EXPECT_EQ(bits, bits_of(plain > 0));
}

TEST_P(Im2colEpilogue, GradientAddsTheResidualAndTakesTheMask) {
  // 70 pixels of 32 channels, and images whose sizes are no multiple of 16.
  for (const auto& c : {kShortcut, kStem}) {
    const auto e = exact_of(c);
    const Im2colConvolution convolution(e.weight, c.window, GetParam());
    const auto residual = at::randn(e.x.sizes()), mask = at::randn(e.x.sizes()) > 0;
    const auto bits = bits_of(mask);
    const Epilogue epilogue{.residual = residual.const_data_ptr<float>(), .mask_bits = bits.data()};
    const auto plain = backward_of(convolution, e, e.gradient);
    EXPECT_TRUE(at::equal(backward_of(convolution, e, e.gradient, epilogue),
                          (plain + residual).masked_fill(mask.logical_not(), 0)));
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, Im2colEpilogue,
                         ::testing::Values(InstructionSet::portable, InstructionSet::avx2,
                                           InstructionSet::avx512),
                         [](const auto& set) { return std::string(to_string(set.param)); });

}  // namespace
}  // namespace namid::engine
