// SPDX-License-Identifier: Apache-2.0
#include "namid/certify/layer_map.h"

#include <ATen/Functions.h>

namespace namid::certify {
namespace {

/// Values per channel of a batch (N, C, ...).
at::Tensor over_channels(const at::Tensor& values, const at::Tensor& batch) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(batch.dim()), 1);
  shape[1] = -1;
  return values.view(shape);
}

/// Rows and columns of the input that no window of the forward pass reaches behind.
std::array<std::int64_t, 2> output_padding(const models::Window& w, const at::Tensor& lambda,
                                           const std::vector<std::int64_t>& in) {
  std::array<std::int64_t, 2> extra{};
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const auto size = lambda.size(static_cast<std::int64_t>(axis) + 2);
    extra[axis] = in[axis + 1] - ((size - 1) * w.stride[axis] - 2 * w.padding[axis] +
                                  w.dilation[axis] * (w.kernel[axis] - 1) + 1);
  }
  return extra;
}

}  // namespace

at::Tensor apply(const Layer& layer, const at::Tensor& x, const at::Tensor& weight,
                 const at::Tensor& bias) {
  const auto& w = layer.window;
  if (layer.kind == LayerKind::conv)
    return at::conv2d(x, weight, bias, w.stride, w.padding, w.dilation, w.groups);
  if (layer.kind == LayerKind::linear) return at::linear(x.flatten(1), weight, bias);
  const auto y = x * over_channels(weight, x);
  return bias.defined() ? y + over_channels(bias, x) : y;
}

at::Tensor apply(const Layer& layer, const at::Tensor& x) {
  return apply(layer, x, layer.weight, layer.bias);
}

at::Tensor transposed(const Layer& layer, const at::Tensor& lambda,
                      const std::vector<std::int64_t>& in) {
  const auto& w = layer.window;
  if (layer.kind == LayerKind::conv)
    return at::conv_transpose2d(lambda, layer.weight, {}, w.stride, w.padding,
                                output_padding(w, lambda, in), w.groups, w.dilation);
  if (layer.kind == LayerKind::scale) return lambda * over_channels(layer.weight, lambda);
  auto shape = in;
  shape.insert(shape.begin(), lambda.size(0));
  return lambda.mm(layer.weight).view(shape);
}

at::Tensor times_bias(const Layer& layer, const at::Tensor& lambda) {
  const auto per_channel = lambda.dim() > 2 ? lambda.flatten(2).sum(2) : lambda;
  return per_channel.mv(layer.bias);
}

}  // namespace namid::certify
