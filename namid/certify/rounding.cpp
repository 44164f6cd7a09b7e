// SPDX-License-Identifier: Apache-2.0
#include "namid/certify/rounding.h"

#include <ATen/Functions.h>

#include <cmath>

#include "namid/certify/layer_map.h"

namespace namid::certify {

double Rounding::factor(std::size_t layer) const {
  const auto scaled = static_cast<double>(terms[layer]) * std::ldexp(1.0, -53);
  return 2 * static_cast<double>(depths[layer] + 1) * scaled / (1 - scaled);
}

at::Tensor Rounding::row_sizes(const Rows& rows) const {
  return (rows.lambda.abs() * sizes.back().index_select(0, rows.sample)).flatten(1).sum(1);
}

at::Tensor Rounding::margin(std::size_t layer) const {
  return factor(layer) * sizes[layer];
}

at::Tensor Rounding::threshold(const Rows& rows) const {
  return factor(sizes.size() - 1) * row_sizes(rows);
}

at::Tensor Rounding::float32_slack(const Rows& rows) const {
  return static_cast<double>(terms.back()) * std::ldexp(1.0, -24) * row_sizes(rows);
}

Rounding rounding_of(const AffineNetwork& network, const InputSet& set) {
  Rounding rounding;
  std::int64_t terms = 0, depth = 0;
  for (const auto& layer : network.layers) {
    // Layers stand in an order in which inputs come first: the sums hold at least all of them.
    if (layer.fan_in > 0) {
      terms += layer.fan_in + 6;
      ++depth;
    }
    rounding.terms.push_back(terms);
    rounding.depths.push_back(depth);
    if (layer.kind == LayerKind::input) {
      rounding.sizes.push_back(at::maximum(set.lower.abs(), set.upper.abs()));
      continue;
    }
    const auto& in = rounding.sizes[layer.inputs[0]];
    if (layer.affine())
      rounding.sizes.push_back(apply(layer, in, layer.weight_size, layer.bias_size));
    else
      rounding.sizes.push_back(layer.kind == LayerKind::add ? in + rounding.sizes[layer.inputs[1]]
                                                            : in);
  }
  return rounding;
}

}  // namespace namid::certify
