// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/nn/modules/conv.h>

namespace namid::models {

/// Computes convolutions of built-in networks in LibTorch's place.
class ConvolutionBackend {
 public:
  virtual ~ConvolutionBackend() = default;
  /// conv2d of x (N, I, H, W) by a layer's weight, bias, stride, padding, dilation and groups,
  /// differentiable by all three as at::conv2d is; undefined: LibTorch is to compute this one.
  virtual at::Tensor conv2d(const at::Tensor& x, const torch::nn::Conv2dImpl& layer) = 0;
};

/// As long as it lives, convolutions of built-in networks on this thread ask `backend` first.
class ConvolutionScope {
 public:
  explicit ConvolutionScope(ConvolutionBackend& backend);
  ~ConvolutionScope();
  ConvolutionScope(const ConvolutionScope&) = delete;
  ConvolutionScope& operator=(const ConvolutionScope&) = delete;

 private:
  ConvolutionBackend* before_;
};

/// torch::nn::Conv2d that asks the thread's ConvolutionBackend. Padding is of zeros.
class Conv2dImpl : public torch::nn::Conv2dImpl {
 public:
  using torch::nn::Conv2dImpl::Conv2dImpl;
  at::Tensor forward(const at::Tensor& x);
};
TORCH_MODULE(Conv2d);

}  // namespace namid::models
