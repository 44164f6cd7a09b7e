// SPDX-License-Identifier: Apache-2.0
//
// The engine's convolutions (Winograd's, or im2col for layers that it does not do) and LibTorch's
// direct one, channels-last, take turns; a kernel of K x K has the padding (K - 1) / 2.
//   namid_bench_winograd BATCH THREADS PAIRS CLOCK [INSTRUCTIONS [IN:OUT:SIZE[:STRIDE[:K]] ...]]
// CLOCK wall, or cpu: what the calling thread used, for one thread on a busy machine. INSTRUCTIONS
// portable, avx2 or avx512 (ONEDNN_MAX_CPU_ISA limits the other side); layers: default ResNet-18's.
// A Markdown table on stdout: medians, quartiles of the ratios of pairs, largest deviation from
// float64 as a part of the largest entry.
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "namid/engine/im2col.h"
#include "namid/engine/winograd.h"
#include "namid/engine/winograd_weight_gradient.h"

namespace namid {
namespace {

struct Layer {
  long in, out, size, stride = 1, kernel = 3;
  long out_size() const { return (size + stride - 1) / stride; }
  models::Window window() const {
    return {.kernel = {kernel, kernel},
            .stride = {stride, stride},
            .padding = {kernel / 2, kernel / 2}};
  }
};

/// The engine's, in both directions.
class Convolution {
 public:
  Convolution(const Layer& layer, const at::Tensor& weight, engine::InstructionSet instructions) {
    if (engine::WinogradConvolution::supports(weight, layer.window())) {
      forward_.emplace(weight, false, layer.stride, instructions);
      backward_.emplace(weight, true, layer.stride, instructions);
    } else {
      im2col_.emplace(weight, layer.window(), instructions);
    }
  }
  void forward(const float* x, float* y, const engine::Extent& extent,
               const engine::Epilogue& epilogue) {
    im2col_ ? im2col_->forward(x, y, extent, epilogue, workspace_)
            : forward_->run(x, y, extent, epilogue, workspace_);
  }
  void input_gradient(const float* gradient, float* y, const engine::Extent& extent) {
    im2col_ ? im2col_->input_gradient(gradient, y, extent, {}, workspace_)
            : backward_->run(gradient, y, extent, {}, workspace_);
  }

 private:
  engine::Workspace workspace_;
  std::optional<engine::WinogradConvolution> forward_, backward_;
  std::optional<engine::Im2colConvolution> im2col_;
};

struct Setting {
  std::int64_t batch;
  int pairs;
  clockid_t clock;
  engine::InstructionSet instructions;
};

double milliseconds(clockid_t clock, const std::function<void()>& work) {
  const auto now = [&] {
    timespec time;
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) * 1e-6;
  };
  const double begin = now();
  work();
  return now() - begin;
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}

double error_of(const at::Tensor& y, const at::Tensor& exact) {
  return ((y.to(at::kDouble) - exact).abs().max() / exact.abs().max()).item<double>();
}

at::Tensor channels_last(at::IntArrayRef sizes) {
  return at::randn(sizes).contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor direct(const Layer& layer, const at::Tensor& x, const at::Tensor& weight,
                  const at::Tensor& bias = {}) {
  return at::conv2d(x, weight, bias, at::IntArrayRef{layer.stride},
                    at::IntArrayRef{layer.kernel / 2});
}

struct Gradients {
  at::Tensor input, weight;
};

Gradients direct_gradients(const Layer& layer, const at::Tensor& gradient, const at::Tensor& x,
                           const at::Tensor& weight, bool by_input) {
  const auto w = layer.window();
  const auto [input, by_weight, bias] =
      at::convolution_backward(gradient, x, weight, at::nullopt, w.stride, w.padding, w.dilation,
                               false, {0, 0}, 1, {by_input, !by_input, false});
  return {input, by_weight};
}

/// Both sides by turns; the exact result may be undefined.
void compare(const std::string& name, const Setting& setting,
             const std::function<at::Tensor()>& theirs, const std::function<void()>& ours,
             const at::Tensor& y, const at::Tensor& exact) {
  std::vector<double> direct_times, own_times, ratios;
  at::Tensor result;
  for (int pair = -2; pair < setting.pairs; ++pair) {
    double direct_time = 0, own_time = 0;
    for (const bool first : {pair % 2 == 0, pair % 2 != 0})
      if (first)
        direct_time = milliseconds(setting.clock, [&] { result = theirs(); });
      else
        own_time = milliseconds(setting.clock, ours);
    if (pair < 0) continue;
    direct_times.push_back(direct_time);
    own_times.push_back(own_time);
    ratios.push_back(direct_time / own_time);
  }
  std::printf("| %s | %.2f | %.2f | **%.2f**, %.2f to %.2f |", name.c_str(),
              quantile(direct_times, 0.5), quantile(own_times, 0.5), quantile(ratios, 0.5),
              quantile(ratios, 0.25), quantile(ratios, 0.75));
  if (exact.defined())
    std::printf(" %.1e | %.1e |\n", error_of(result, exact),
                error_of(y.permute({0, 3, 1, 2}), exact));
  else
    std::printf(" | |\n");
  std::fflush(stdout);
}

void measure(const Layer& layer, const Setting& setting) {
  using engine::Epilogue;
  const engine::Extent extent{setting.batch, layer.size, layer.size};
  const auto x = channels_last({setting.batch, layer.in, layer.size, layer.size}).relu_();
  const auto gradient =
      channels_last({setting.batch, layer.out, layer.out_size(), layer.out_size()});
  const auto weight = channels_last({layer.out, layer.in, layer.kernel, layer.kernel}) /
                      std::sqrt(static_cast<double>(layer.kernel * layer.kernel * layer.in));
  const auto bias = at::randn({layer.out});
  Convolution convolution(layer, weight, setting.instructions);
  const auto y = at::empty({setting.batch, layer.out_size(), layer.out_size(), layer.out}),
             gx = at::empty({setting.batch, layer.size, layer.size, layer.in});
  const auto bits = at::empty({y.numel() / 8}, at::kByte);
  const auto* pixels = x.const_data_ptr<float>();
  const auto name = std::to_string(layer.in) + " → " + std::to_string(layer.out) + ", " +
                    std::to_string(layer.size) + "x" + std::to_string(layer.size) +
                    (layer.kernel == 3 ? "" : ", kernel " + std::to_string(layer.kernel)) +
                    (layer.stride == 1 ? "" : ", stride " + std::to_string(layer.stride)) + " | ";
  const auto exact_gradients = [&](bool by_input) {
    return direct_gradients(layer, gradient.to(at::kDouble), x.to(at::kDouble),
                            weight.to(at::kDouble), by_input);
  };
  compare(
      name + "forward", setting, [&] { return direct(layer, x, weight); },
      [&] { convolution.forward(pixels, y.data_ptr<float>(), extent, {}); }, y,
      direct(layer, x.to(at::kDouble), weight.to(at::kDouble)));
  compare(
      name + "input gradient", setting,
      [&] { return direct_gradients(layer, gradient, x, weight, true).input; },
      [&] {
        convolution.input_gradient(gradient.const_data_ptr<float>(), gx.data_ptr<float>(), extent);
      },
      gx, exact_gradients(true).input);
  if (engine::WinogradConvolution::supports(weight, layer.window())) {
    const engine::WinogradWeightGradient weights(layer.in, layer.out, layer.stride,
                                                 setting.instructions);
    const auto gw = at::empty_like(weight);
    engine::Workspace workspace;
    compare(
        name + "weight gradient", setting,
        [&] { return direct_gradients(layer, gradient, x, weight, false).weight; },
        [&] { weights.run(pixels, gradient.const_data_ptr<float>(), extent, gw, workspace); },
        gw.permute({0, 2, 3, 1}), exact_gradients(false).weight);
  }
  const Epilogue block{.bias = bias.const_data_ptr<float>(),
                       .residual = gradient.const_data_ptr<float>(),
                       .relu = true,
                       .relu_bits = bits.data_ptr<std::uint8_t>()};
  compare(
      name + "forward, bias, sum, ReLU", setting,
      [&] { return direct(layer, x, weight, bias).add_(gradient).relu_(); },
      [&] { convolution.forward(pixels, y.data_ptr<float>(), extent, block); }, y, {});
}

Layer parse_layer(const char* text) {
  Layer layer{};
  if (std::sscanf(text, "%ld:%ld:%ld:%ld:%ld", &layer.in, &layer.out, &layer.size, &layer.stride,
                  &layer.kernel) < 3)
    throw std::invalid_argument(std::string("not IN:OUT:SIZE[:STRIDE[:K]]: ") + text);
  return layer;
}

engine::InstructionSet parse_instructions(const std::string& text) {
  using engine::InstructionSet;
  for (const auto set : {InstructionSet::portable, InstructionSet::avx2, InstructionSet::avx512})
    if (text == to_string(set)) return set;
  throw std::invalid_argument("not portable, avx2 or avx512: " + text);
}

}  // namespace
}  // namespace namid

int main(int argc, char** argv) {
  using namespace namid;
  if (argc < 5) {
    std::fprintf(stderr,
                 "usage: %s BATCH THREADS PAIRS wall|cpu [INSTRUCTIONS [IN:OUT:SIZE ...]]\n",
                 argv[0]);
    return 2;
  }
  mallopt(M_MMAP_MAX, 0);  // as the program does
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 1 << 26);
  at::set_num_threads(std::stoi(argv[2]));
  Setting setting{std::stoll(argv[1]), std::stoi(argv[3]),
                  std::string(argv[4]) == "cpu" ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC,
                  engine::best_instruction_set()};
  if (argc > 5) setting.instructions = parse_instructions(argv[5]);
  std::vector<Layer> layers{{64, 64, 32},     {128, 128, 16},    {256, 256, 8},   {512, 512, 4},
                            {64, 128, 32, 2}, {128, 256, 16, 2}, {256, 512, 8, 2}};
  if (argc > 6) layers.clear();
  for (int i = 6; i < argc; ++i) layers.push_back(parse_layer(argv[i]));
  std::printf(
      "| layer | pass | direct, ms | engine, ms | direct / engine, quartiles | error, direct | "
      "error, engine |\n|---|---|---|---|---|---|---|\n");
  for (const auto& layer : layers) measure(layer, setting);
  return 0;
}
