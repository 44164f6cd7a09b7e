// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/certify/affine_network.h"

namespace namid::certify {

/// W x + b of an affine layer for a batch x (N, *input shape).
at::Tensor apply(const Layer& layer, const at::Tensor& x);

/// The same with another weight and bias in the place of the layer's (|W|, 0; magnitudes).
at::Tensor apply(const Layer& layer, const at::Tensor& x, const at::Tensor& weight,
                 const at::Tensor& bias = {});

/// Λ W for rows Λ (P, *layer.shape) of coefficients; (P, *in), `in` the shape of the layer's input.
/// For a convolution that is the transposed convolution whose output has exactly that shape.
at::Tensor transposed(const Layer& layer, const at::Tensor& lambda,
                      const std::vector<std::int64_t>& in);

/// Λ b, (P).
at::Tensor times_bias(const Layer& layer, const at::Tensor& lambda);

}  // namespace namid::certify
