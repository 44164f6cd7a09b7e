// SPDX-License-Identifier: Apache-2.0
#include "namid/certify/backward.h"

#include <ATen/Functions.h>

#include "namid/certify/layer_map.h"

namespace namid::certify {
namespace {

void add_to(at::Tensor& sum, const at::Tensor& term) {
  sum = sum.defined() ? sum + term : term;  // not in place: autograd may run through it
}

at::Tensor row_sums(const at::Tensor& products) {
  return products.flatten(1).sum(1);
}

}  // namespace

at::Tensor lower_bound(const AffineNetwork& network, std::size_t layer, const Rows& rows,
                       const Relaxations& relaxations, const InputSet& set,
                       const std::vector<at::Tensor>& slopes) {
  const auto of = [&](const at::Tensor& values) { return values.index_select(0, rows.sample); };
  std::vector<at::Tensor> lambdas(layer + 1);
  lambdas[layer] = rows.lambda;
  auto d = at::zeros(rows.size(), rows.lambda.options());
  for (auto j = layer; j > 0; --j) {
    const auto lambda = std::exchange(lambdas[j], at::Tensor());
    if (!lambda.defined()) continue;
    const auto& at_j = network.layers[j];
    auto& below = lambdas[at_j.inputs[0]];
    if (at_j.affine()) {
      d = d + times_bias(at_j, lambda);
      add_to(below, transposed(at_j, lambda, network.layers[at_j.inputs[0]].shape));
    } else if (at_j.kind == LayerKind::add) {
      add_to(below, lambda);
      add_to(lambdas[at_j.inputs[1]], lambda);
    } else {
      const auto& relaxation = relaxations[j];
      const auto positive = lambda.clamp_min(0), negative = lambda.clamp_max(0);
      d = d + row_sums(negative * of(relaxation.upper_intercept));
      if (relaxation.lower_intercept.defined())
        d = d + row_sums(positive * of(relaxation.lower_intercept));
      if (!relaxation.upper_slope.defined()) continue;
      const bool own = !slopes.empty() && slopes[j].defined();
      const auto lower = own ? slopes[j] : of(relaxation.lower_slope);
      add_to(below, positive * lower + negative * of(relaxation.upper_slope));
    }
  }
  return lambdas[0].defined() ? minimum(set, lambdas[0], d, rows.sample) : d;
}

}  // namespace namid::certify
