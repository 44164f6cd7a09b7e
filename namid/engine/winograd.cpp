// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/winograd.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace namid::engine {
namespace {

float follow(float y, std::int64_t i, std::int64_t channel, const Epilogue& epilogue) {
  if (epilogue.bias) y += epilogue.bias[channel];
  if (epilogue.residual) y += epilogue.residual[i];
  if (epilogue.mask_bits && !((epilogue.mask_bits[i / 8] >> (i % 8)) & 1)) y = 0;
  if (!epilogue.relu) return y;
  if (epilogue.relu_bits) {
    auto& byte = epilogue.relu_bits[i / 8];
    const auto bit = static_cast<std::uint8_t>(1u << (i % 8));
    byte = static_cast<std::uint8_t>(y > 0 ? byte | bit : byte & ~bit);
  }
  return std::max(y, 0.0f);
}

}  // namespace

bool WinogradConvolution::supports(const at::Tensor& weight, const models::Window& window) {
  using Pair = std::array<std::int64_t, 2>;
  return weight.dim() == 4 && weight.size(0) % 16 == 0 && weight.size(1) % 16 == 0 &&
         weight.scalar_type() == at::kFloat && window.kernel == Pair{3, 3} &&
         window.stride == Pair{1, 1} && window.padding == Pair{1, 1} &&
         window.dilation == Pair{1, 1} && window.groups == 1;
}

WinogradConvolution::WinogradConvolution(const at::Tensor& weight, bool input_gradient,
                                         InstructionSet instructions)
    : input_gradient_(input_gradient), instructions_(instructions) {
  repack(weight);
}

void WinogradConvolution::repack(const at::Tensor& weight) {
  const at::NoGradGuard no_grad;
  weight_ = input_gradient_ ? weight.flip({2, 3}).transpose(0, 1).contiguous() : weight.clone();
  out_ = weight_.size(0);
  in_ = weight_.size(1);
}

void WinogradConvolution::run(const float* x, float* y, const Extent& extent,
                              const Epilogue& epilogue, Workspace&) const {
  const at::NoGradGuard no_grad;
  const auto image = at::from_blob(const_cast<float*>(x),
                                   {extent.n, extent.height, extent.width, in_}, at::kFloat);
  const auto out =
      at::conv2d(image.permute({0, 3, 1, 2}), weight_, {}, 1, 1).permute({0, 2, 3, 1}).contiguous();
  const auto* values = out.const_data_ptr<float>();
  for (std::int64_t i = 0; i < out.numel(); ++i) y[i] = follow(values[i], i, i % out_, epilogue);
}

}  // namespace namid::engine
