// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/winograd.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "namid/core/error.h"
#include "tests/engine/convolutions.h"

namespace namid::engine {
namespace {

struct Case {
  std::int64_t n, height, width, in, out;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.n << "x" << c.height << "x" << c.width << " " << c.in << "->" << c.out;
}

/// NHWC, contiguous.
at::Tensor images(const Case& c, std::int64_t channels, int seed) {
  at::manual_seed(seed);
  return at::randn({c.n, c.height, c.width, channels});
}

at::Tensor weights_of(const Case& c) {
  at::manual_seed(7);
  return at::randn({c.out, c.in, 3, 3}) / std::sqrt(9.0 * static_cast<double>(c.in));
}

at::Tensor exact(const at::Tensor& x, const at::Tensor& weight, std::int64_t stride = 1) {
  const auto y = at::conv2d(x.permute({0, 3, 1, 2}).to(at::kDouble), weight.to(at::kDouble),
                            at::Tensor{}, at::IntArrayRef{stride}, at::IntArrayRef{1});
  return y.permute({0, 2, 3, 1}).contiguous();
}

at::Tensor run(const WinogradConvolution& convolution, const at::Tensor& x,
               const Epilogue& epilogue = {}) {
  auto y = at::full({x.size(0), x.size(1), x.size(2), convolution.out_channels()}, 1e30f);
  Workspace workspace;
  convolution.run(x.const_data_ptr<float>(), y.data_ptr<float>(), {x.size(0), x.size(1), x.size(2)},
                  epilogue, workspace);
  return y;
}

class WinogradShapes : public ::testing::TestWithParam<Case> {};

TEST_P(WinogradShapes, AgreesWithADirectConvolutionInFloat64) {
  const auto& c = GetParam();
  const auto x = images(c, c.in, 1), weight = weights_of(c), expected = exact(x, weight);
  for (const auto set : instruction_sets())
    EXPECT_LT(error_of(run(WinogradConvolution(weight, false, 1, set), x), expected), 1e-5)
        << to_string(set);
}

TEST_P(WinogradShapes, InputGradientIsThatOfTheDirectConvolution) {
  const auto& c = GetParam();
  const auto gradient = images(c, c.out, 2), weight = weights_of(c);
  const auto reversed = weight.flip({2, 3}).transpose(0, 1);
  const WinogradConvolution convolution(weight, true);
  EXPECT_EQ(convolution.in_channels(), c.out);
  EXPECT_EQ(convolution.out_channels(), c.in);
  EXPECT_LT(error_of(run(convolution, gradient), exact(gradient, reversed)), 1e-5);
}

TEST_P(WinogradShapes, NoScheduleChangesABit) {
  const auto& c = GetParam();
  const auto x = images(c, c.in, 3);
  WinogradConvolution convolution(weights_of(c), false);
  const auto expected = run(convolution, x);
  for (const std::int64_t tiles : {1, 3, 28, 47})
    for (const bool staged : {false, true}) {
      convolution.set_schedule({tiles, staged});
      EXPECT_TRUE(at::equal(run(convolution, x), expected)) << tiles << (staged ? " staged" : "");
    }
}

at::Tensor run_strided(const WinogradConvolution& convolution, const at::Tensor& x, const Case& c,
                       bool gradient) {
  const std::int64_t height = gradient ? c.height : (c.height + 1) / 2,
                     width = gradient ? c.width : (c.width + 1) / 2;
  auto y = at::full({c.n, height, width, convolution.out_channels()}, 1e30f);
  Workspace workspace;
  convolution.run(x.const_data_ptr<float>(), y.data_ptr<float>(), {c.n, c.height, c.width}, {},
                  workspace);
  return y;
}

TEST_P(WinogradShapes, StrideTwoAgreesWithADirectConvolutionInFloat64) {
  const auto& c = GetParam();
  const auto x = images(c, c.in, 1), weight = weights_of(c), expected = exact(x, weight, 2);
  for (const auto set : instruction_sets())
    EXPECT_LT(
        error_of(run_strided(WinogradConvolution(weight, false, 2, set), x, c, false), expected),
        1e-5)
        << to_string(set);
}

TEST_P(WinogradShapes, StrideTwoGradientIsThatOfTheDirectConvolution) {
  const auto& c = GetParam();
  const auto weight = weights_of(c), x = images(c, c.in, 1).to(at::kDouble).requires_grad_();
  const Case half{c.n, (c.height + 1) / 2, (c.width + 1) / 2, c.in, c.out};
  const auto gradient = images(half, c.out, 2);
  exact(x, weight, 2).backward(gradient.to(at::kDouble));
  for (const auto set : instruction_sets())
    EXPECT_LT(error_of(run_strided(WinogradConvolution(weight, true, 2, set), gradient, c, true),
                       x.grad()),
              1e-5)
        << to_string(set);
}

TEST_P(WinogradShapes, NoScheduleChangesABitOfStrideTwo) {
  const auto& c = GetParam();
  const Case half{c.n, (c.height + 1) / 2, (c.width + 1) / 2, c.in, c.out};
  for (const bool gradient : {false, true}) {
    const auto x = gradient ? images(half, c.out, 3) : images(c, c.in, 3);
    WinogradConvolution convolution(weights_of(c), gradient, 2);
    const auto expected = run_strided(convolution, x, c, gradient);
    for (const std::int64_t tiles : {1, 3, 14})
      for (const bool staged : {false, true}) {
        convolution.set_schedule({tiles, staged});
        EXPECT_TRUE(at::equal(run_strided(convolution, x, c, gradient), expected))
            << tiles << (staged ? " staged" : "");
      }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, WinogradShapes,
                         ::testing::Values(Case{1, 1, 1, 16, 16}, Case{2, 1, 5, 16, 48},
                                           Case{1, 4, 4, 64, 32}, Case{5, 2, 3, 32, 16},
                                           Case{3, 7, 33, 16, 32}, Case{2, 33, 9, 48, 80},
                                           Case{1, 8, 8, 160, 160}, Case{4, 5, 6, 80, 112},
                                           Case{2, 16, 13, 64, 64}));

TEST(Winograd, InstructionSetsWithFusedMultiplyAddAgreeBitForBit) {
  if (best_instruction_set() != InstructionSet::avx512) GTEST_SKIP() << "no AVX-512";
  const Case c{2, 9, 11, 80, 48};
  const auto x = images(c, c.in, 1), weight = weights_of(c);
  EXPECT_TRUE(at::equal(run(WinogradConvolution(weight, false, 1, InstructionSet::avx512), x),
                        run(WinogradConvolution(weight, false, 1, InstructionSet::avx2), x)));
}

TEST(Winograd, ThreadsChangeNoBit) {
  const Case c{3, 17, 18, 32, 64};
  const auto x = images(c, c.in, 1);
  const WinogradConvolution convolution(weights_of(c), false);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto alone = run(convolution, x);
  at::set_num_threads(2);
  const auto shared = run(convolution, x);
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(alone, shared));
}

TEST(Winograd, NeighboursInTheBatchChangeNoBit) {
  const Case c{8, 8, 10, 64, 64};
  const auto x = images(c, c.in, 1);
  const WinogradConvolution convolution(weights_of(c), false);
  const auto together = run(convolution, x);
  for (std::int64_t i = 0; i < c.n; ++i)
    EXPECT_TRUE(at::equal(run(convolution, x.slice(0, i, i + 1).contiguous())[0], together[i]))
        << i;
}

TEST(Winograd, OneWorkspaceServesLayersOfAllSizes) {
  Workspace workspace;
  for (const auto& c : {Case{4, 8, 8, 128, 128}, Case{1, 4, 4, 16, 16}, Case{2, 16, 16, 64, 32}}) {
    const auto x = images(c, c.in, 1), weight = weights_of(c);
    auto y = at::empty({c.n, c.height, c.width, c.out});
    WinogradConvolution(weight, false)
        .run(x.const_data_ptr<float>(), y.data_ptr<float>(), {c.n, c.height, c.width}, {},
             workspace);
    EXPECT_LT(error_of(y, exact(x, weight)), 1e-5);
  }
}

TEST(Winograd, RepackTakesTheNewWeights) {
  const Case c{2, 6, 6, 32, 48};
  const auto x = images(c, c.in, 1), weight = weights_of(c);
  WinogradConvolution convolution(at::zeros_like(weight), false);
  EXPECT_EQ(run(convolution, x).abs().max().item<float>(), 0);
  convolution.repack(weight);
  EXPECT_TRUE(at::equal(run(convolution, x), run(WinogradConvolution(weight, false), x)));
}

TEST(Winograd, WeightsMayLieInAnyOrder) {
  const Case c{2, 6, 6, 32, 48};
  const auto x = images(c, c.in, 1), weight = weights_of(c);
  const auto last = weight.contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_TRUE(at::equal(run(WinogradConvolution(last, false), x),
                        run(WinogradConvolution(weight, false), x)));
}

TEST(Winograd, MovesWithItsWeights) {
  const Case c{1, 4, 4, 16, 16};
  const auto x = images(c, c.in, 1);
  WinogradConvolution first(weights_of(c), false);
  const auto expected = run(first, x);
  const auto second = std::move(first);
  EXPECT_TRUE(at::equal(run(second, x), expected));
}

TEST(Winograd, ImpossibleInstructionsAreRefused) {
  if (best_instruction_set() == InstructionSet::avx512) GTEST_SKIP() << "all are possible";
  EXPECT_THROW(WinogradConvolution(at::zeros({16, 16, 3, 3}), false, 1, InstructionSet::avx512),
               OptionError);
}

TEST(Winograd, SupportsWhatItComputes) {
  const auto weight = at::zeros({32, 16, 3, 3});
  const models::Window fits{.kernel = {3, 3}, .padding = {1, 1}};
  EXPECT_TRUE(WinogradConvolution::supports(weight, fits));
  EXPECT_FALSE(WinogradConvolution::supports(at::zeros({32, 3, 3, 3}), fits));
  EXPECT_FALSE(WinogradConvolution::supports(at::zeros({24, 16, 3, 3}), fits));
  EXPECT_FALSE(WinogradConvolution::supports(weight.to(at::kDouble), fits));
  auto window = fits;
  window.stride = {2, 2};
  EXPECT_TRUE(WinogradConvolution::supports(weight, window));
  window.stride = {2, 1};
  EXPECT_FALSE(WinogradConvolution::supports(weight, window));
  window = fits;
  window.padding = {0, 0};
  EXPECT_FALSE(WinogradConvolution::supports(weight, window));
  window = fits;
  window.groups = 2;
  EXPECT_FALSE(WinogradConvolution::supports(weight, window));
}

TEST(Winograd, PaysButForFewPixelsUnderManyWeights) {
  const WinogradConvolution wide(at::zeros({144, 512, 3, 3}), false),
      narrow(at::zeros({16, 16, 3, 3}), false);
  EXPECT_FALSE(wide.pays({1, 4, 4}));
  EXPECT_TRUE(wide.pays({64, 4, 4}));
  EXPECT_TRUE(narrow.pays({1, 4, 4}));
}

class WinogradEpilogue : public ::testing::TestWithParam<InstructionSet> {
 protected:
  void SetUp() override {
    if (GetParam() > best_instruction_set()) GTEST_SKIP() << "not on this machine";
  }
  const Case c{2, 7, 10, 32, 48};
  const at::Tensor x = images(c, c.in, 1), weight = weights_of(c);
  const at::Tensor bias = at::randn({c.out}), residual = images(c, c.out, 5);
  const at::Tensor mask = images(c, c.out, 6) > 0;
};

TEST_P(WinogradEpilogue, AddsBiasAndResidual) {
  const WinogradConvolution convolution(weight, false, 1, GetParam());
  const auto plain = run(convolution, x);
  EXPECT_TRUE(at::equal(run(convolution, x, {.bias = bias.const_data_ptr<float>()}), plain + bias));
  const auto both =
      run(convolution, x,
          {.bias = bias.const_data_ptr<float>(), .residual = residual.const_data_ptr<float>()});
  EXPECT_TRUE(at::equal(both, plain + bias + residual));
}

TEST_P(WinogradEpilogue, ResidualMayBeTheResultItself) {
  const WinogradConvolution convolution(weight, false, 1, GetParam());
  auto y = residual.clone();
  Workspace workspace;
  convolution.run(x.const_data_ptr<float>(), y.data_ptr<float>(), {c.n, c.height, c.width},
                  {.residual = y.const_data_ptr<float>()}, workspace);
  EXPECT_TRUE(at::equal(y, run(convolution, x) + residual));
}

TEST_P(WinogradEpilogue, ReluKeepsASignOfEachValue) {
  const WinogradConvolution convolution(weight, false, 1, GetParam());
  const auto plain = run(convolution, x) + residual;
  std::vector<std::uint8_t> bits(static_cast<std::size_t>(plain.numel() / 8), 0xA5);
  const Epilogue epilogue{
      .residual = residual.const_data_ptr<float>(), .relu = true, .relu_bits = bits.data()};
  EXPECT_TRUE(at::equal(run(convolution, x, epilogue), plain.relu()));
  EXPECT_EQ(bits, bits_of(plain > 0));
}

TEST_P(WinogradEpilogue, MaskSetsToZeroWhatAnEarlierReluDid) {
  const WinogradConvolution convolution(weight, false, 1, GetParam());
  const auto bits = bits_of(mask);
  const Epilogue epilogue{.residual = residual.const_data_ptr<float>(), .mask_bits = bits.data()};
  EXPECT_TRUE(at::equal(run(convolution, x, epilogue), (run(convolution, x) + residual) * mask));
}

TEST_P(WinogradEpilogue, ReluLetsNotANumberThrough) {
  const WinogradConvolution convolution(weight, false, 1, GetParam());
  auto broken = bias.clone();
  broken[3] = std::numeric_limits<float>::quiet_NaN();
  const auto y = run(convolution, x, {.bias = broken.const_data_ptr<float>(), .relu = true});
  EXPECT_TRUE(y.select(3, 3).isnan().all().item<bool>());
  EXPECT_EQ(y.isnan().sum().item<std::int64_t>(), y.numel() / c.out);
}

INSTANTIATE_TEST_SUITE_P(Sets, WinogradEpilogue,
                         ::testing::Values(InstructionSet::portable, InstructionSet::avx2,
                                           InstructionSet::avx512),
                         [](const auto& set) { return std::string(to_string(set.param)); });

}  // namespace
}  // namespace namid::engine
