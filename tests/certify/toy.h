// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include "namid/certify/certify.h"
#include "namid/certify/specification.h"

namespace namid::certify {

/// A linear layer of the normal form, behind `input`.
inline Layer linear_layer(const at::Tensor& weight, const at::Tensor& bias, std::size_t input) {
  return {.kind = LayerKind::linear,
          .name = "linear",
          .inputs = {input},
          .shape = {weight.size(0)},
          .weight = weight,
          .bias = bias,
          .weight_size = weight.abs(),
          .bias_size = bias.abs(),
          .fan_in = weight.size(1)};
}

/// Linear layers with ReLUs between them.
inline AffineNetwork layered(const std::vector<std::pair<at::Tensor, at::Tensor>>& linears) {
  AffineNetwork network{.name = "layered"};
  network.layers.push_back({.shape = {linears.front().first.size(1)}});
  for (const auto& [weight, bias] : linears) {
    if (network.layers.size() > 1)
      network.layers.push_back({.kind = LayerKind::relu,
                                .name = "relu",
                                .inputs = {network.layers.size() - 1},
                                .shape = network.layers.back().shape});
    network.layers.push_back(linear_layer(weight, bias, network.layers.size() - 1));
  }
  return network;
}

/// What the bounds of one batch need, kept together.
struct Bench {
  AffineNetwork network;
  InputSet set;
  Rounding rounding;
  Specification spec;

  Bench(AffineNetwork net, const at::Tensor& x, const at::Tensor& y, const attacks::Budget& budget,
        bool box = true)
      : network(std::move(net)),
        set(input_set(x, budget, box)),
        rounding(rounding_of(network, set)),
        spec(specification(y, network.classes(), network.tensors())) {}

  Problem problem() const { return {network, set, rounding}; }
};

}  // namespace namid::certify
