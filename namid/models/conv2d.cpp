// SPDX-License-Identifier: Apache-2.0
#include "namid/models/conv2d.h"

namespace namid::models {
namespace {

thread_local ConvolutionBackend* current_backend = nullptr;

}  // namespace

ConvolutionScope::ConvolutionScope(ConvolutionBackend& backend)
    : before_(std::exchange(current_backend, &backend)) {}

ConvolutionScope::~ConvolutionScope() {
  current_backend = before_;
}

at::Tensor Conv2dImpl::forward(const at::Tensor& x) {
  if (current_backend != nullptr)
    if (auto y = current_backend->conv2d(x, *this); y.defined()) return y;
  return torch::nn::Conv2dImpl::forward(x);
}

}  // namespace namid::models
